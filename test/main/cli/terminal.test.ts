/** The real command line on a real terminal (`script` makes one): nothing that came from elsewhere steers it. */
import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import { tiny } from "../../support/gguf.ts"
import { eventually } from "../../support/machine.ts"
import { useMachines } from "../../support/machines.ts"

const program = fileURLToPath(new URL("../../../dist/rbee.js", import.meta.url))
const hostile = "\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-tty-"))
  folders.push(folder)
  return folder
}

/** What the terminal gets; the arguments travel in variables, past the shell. */
const onTerminal = (args: ReadonlyArray<string>, around: NodeJS.ProcessEnv): string => {
  const names = args.map((_, index) => `A${index}`)
  const command = `"$NODE" "$RBEE" ${names.map((name) => `"$${name}"`).join(" ")}; true`
  const given = Object.fromEntries(args.map((arg, index) => [`A${index}`, arg]))
  const env = { PATH: process.env["PATH"], TERM: "xterm", NODE: process.execPath, RBEE: program, ...around }
  return execFileSync("script", ["-qec", command, "/dev/null"], { env: { ...env, ...given }, encoding: "utf8" })
}

/** In a home of its own, with this configuration. */
const atHome = (args: ReadonlyArray<string>, config = "", around: NodeJS.ProcessEnv = {}): string => {
  const home = newFolder()
  writeFileSync(join(home, "config.toml"), config)
  return onTerminal(args, { RBEE_HOME: home, ...around })
}

/** Our own colours are no harm; anything else would be. */
// oxlint-disable-next-line no-control-regex -- as a terminal is told
const withoutColours = (text: string): string => text.replaceAll(/\u001b\[\d+m/g, "").replaceAll("\r\n", "\n")

// oxlint-disable-next-line no-control-regex -- what steers a terminal
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/

const machine = useMachines()
const hasScript = existsSync("/usr/bin/script")

describe.runIf(hasScript)("on a terminal", () => {
  it.each([
    ["a command", [`${hostile}x`], ""],
    ["an option", ["status", `--${hostile}x`], ""],
    ["a value", ["infer", "--max-tokens", `${hostile}x`, "hello"], ""],
    ["a model's name", ["infer", "--model", `${hostile}x`, "hello"], ""],
    ["a setting", ["status", "--queen-port", `${hostile}x`], ""],
    [
      "a key of the config file",
      ["status"],
      `"${hostile.replaceAll("\u001b", "\\u001b").replaceAll("\u0007", "\\u0007")}" = 1\n`
    ],
    ["a value of the config file", ["status"], `[queen]\nhost = "\\u001b]0;owned\\u0007"\n`],
    ["a config file that is no TOML", ["status"], `${hostile} =\n`]
  ])("%s that is refused steers nothing", (_, args, config) => {
    const said = withoutColours(atHome(args, config))
    expect(said).not.toBe("")
    expect(said).not.toMatch(steering)
  })

  it.each([
    ["the home, which cannot be made", (path: string) => ({ RBEE_HOME: join(path, "under a file") })],
    ["the token's file", (path: string) => ({ RBEE_TOKEN_FILE: `${path}-that-is-not-there` })],
    ["the configuration's folder", (path: string) => ({ RBEE_HOME: `${path}-d` })]
  ])("a path in what is said steers nothing: %s", (_, around) => {
    const path = join(newFolder(), `${hostile}seen`)
    writeFileSync(path, "")
    mkdirSync(`${path}-d`)
    writeFileSync(join(`${path}-d`, "config.toml"), "no = [toml")
    const said = withoutColours(atHome(["infer", "hello"], "", around(path)))
    expect(said).toContain("seen")
    expect(said).not.toMatch(steering)
  })

  it("a model's file that is none steers nothing by its name", () => {
    const file = join(newFolder(), `${hostile}seen.gguf`)
    writeFileSync(file, "no model")
    const said = withoutColours(atHome(["models", "dialect", file]))
    expect(said).toContain("seen")
    expect(said).not.toMatch(steering)
  })
})

describe.runIf(hasScript)("with a cluster, on a terminal", () => {
  it("an answer steers nothing, and is byte for byte what the model said in a pipe and with --raw", async () => {
    const on = await machine()
    const model = `file:${await tiny()}`
    const asked = ["infer", "--quiet", "--model", model, "--ignore-eos", "--max-tokens", "120", "hello"]
    const raw = (await on.rbee(asked)).stdout
    // random weights say any byte
    expect(raw).toMatch(steering)
    const shown = withoutColours(onTerminal(asked, on.env))
    expect(shown.length).toBeGreaterThan(50)
    expect(shown).not.toMatch(steering)
    expect(withoutColours(onTerminal([...asked, "--raw"], on.env))).toMatch(steering)
  })

  it("`rbee inspect` and `rbee open` open their links in a browser, where there is a screen", async () => {
    const on = await machine()
    expect((await on.rbee(["up"])).code).toBe(0)
    const folder = newFolder()
    const opened = join(folder, "opened")
    writeFileSync(join(folder, "xdg-open"), `#!/bin/sh\necho "$1" >> ${opened}\n`)
    chmodSync(join(folder, "xdg-open"), 0o755)
    const around = { ...on.env, PATH: `${folder}:${process.env["PATH"] ?? ""}`, DISPLAY: ":1" }
    const links = ["inspect", "open"].map((command) => withoutColours(onTerminal([command], around)).trim())
    await eventually(
      () => Promise.resolve(existsSync(opened) && readFileSync(opened, "utf8").trim().split("\n").length === 2),
      "both are opened"
    )
    expect(readFileSync(opened, "utf8").trim().split("\n").toSorted()).toEqual(links.toSorted())
    const pages = await Promise.all(links.map(async (link) => (await fetch(link, { redirect: "manual" })).headers))
    for (const headers of pages) expect(headers.getSetCookie()).toHaveLength(1)
  })
})
