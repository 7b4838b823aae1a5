/** The real command line on a real terminal (`script` makes one): nothing that came from elsewhere steers it. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, it } from "vitest"

const program = fileURLToPath(new URL("../../../dist/rbee.js", import.meta.url))
const hostile = "\u001b]0;owned\u0007\u001b[2J\u009b31m\u202e"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** What the terminal gets; the arguments travel in variables, past the shell. */
const onTerminal = (args: ReadonlyArray<string>, config = ""): string => {
  const home = mkdtempSync(join(tmpdir(), "rbee-tty-"))
  folders.push(home)
  writeFileSync(join(home, "config.toml"), config)
  const names = args.map((_, index) => `A${index}`)
  const command = `"$NODE" "$RBEE" ${names.map((name) => `"$${name}"`).join(" ")}; true`
  const given = Object.fromEntries(args.map((arg, index) => [`A${index}`, arg]))
  const env = { PATH: process.env["PATH"], TERM: "xterm", NODE: process.execPath, RBEE: program, RBEE_HOME: home }
  return execFileSync("script", ["-qec", command, "/dev/null"], { env: { ...env, ...given }, encoding: "utf8" })
}

/** Our own colours are no harm; anything else would be. */
// oxlint-disable-next-line no-control-regex -- as a terminal is told
const withoutColours = (text: string): string => text.replaceAll(/\u001b\[\d+m/g, "").replaceAll("\r\n", "\n")

describe.runIf(existsSync("/usr/bin/script"))("on a terminal", () => {
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
    const said = withoutColours(onTerminal(args, config))
    expect(said).not.toBe("")
    // oxlint-disable-next-line no-control-regex -- that there are none is the point
    expect(said).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
  })
})
