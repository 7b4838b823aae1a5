/**
 * The commands of the pages run as they stand there, page by page, on one machine: a user's home as XDG has it, `rbee` in the
 * PATH, and a hub that has the models which the pages name, by the bundled one's bytes. What takes more runs elsewhere
 * (test/docs/shell.ts).
 */
import { execFile } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { blocks, textOf } from "../docs/pages.ts"
import { shellBlocks } from "../docs/shell.ts"
import { testHub, type TestHub } from "../support/hub.ts"
import type { Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const here = shellBlocks.filter(({ fate }) => fate.runs === "here")
const backup = "docs/backup.md"
const pages = [...new Set(here.map(({ page }) => page))].filter((page) => page !== backup)

const machine = useMachines(afterAll)
let hub: TestHub
let on: Machine

/** `HF:author/repo:Q4_K_M` is a file of that name there. */
const stockHub = ({ folder }: TestHub) => {
  const bundled = join(folder, "acme/tiny/tiny-Q8_0.gguf")
  for (const { text } of here)
    for (const [, repo = "", quantisation = "Q4_K_M"] of text.matchAll(/\bHF:([\w-]+\/[\w.-]+)(?::(\w+))?/g)) {
      const file = join(folder, repo, `${basename(repo).replace(/-GGUF$/, "")}-${quantisation}.gguf`)
      mkdirSync(dirname(file), { recursive: true })
      copyFileSync(bundled, file)
    }
}

beforeAll(async () => {
  hub = await testHub()
  stockHub(hub)
  on = await machine({ env: { RBEE_HOME: "", HF_ENDPOINT: hub.url } })
  Object.assign(on.env, { HOME: on.home, PATH: `${join(on.home, "bin")}:${on.env["PATH"] ?? ""}` })
  for (const name of ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]) Reflect.deleteProperty(on.env, name)
  mkdirSync(join(on.home, "bin"))
  // what a user has already
  mkdirSync(join(on.home, "models"))
  copyFileSync(join(hub.folder, "acme/tiny/tiny-Q8_0.gguf"), join(on.home, "models", "my-model.gguf"))
  const program = `#!/bin/sh\nexec "${process.execPath}" "${resolve("dist/rbee.js")}" "$@"\n`
  writeFileSync(join(on.home, "bin", "rbee"), program, { mode: 0o755 })
})
afterAll(() => hub.close())

/** What it said, where it failed. */
const run = (program: string, args: ReadonlyArray<string>, cwd: string) =>
  new Promise<string | undefined>((done) => {
    const child = execFile(program, args, { cwd, env: on.env }, (error, stdout, stderr) =>
      done(error === null ? undefined : `${error.message}\n${stdout}\n${stderr}`)
    )
    child.stdin?.end()
  })
const bash = (script: string, cwd: string) =>
  run("bash", ["-euo", "pipefail", "-c", script.replaceAll(":8500", `:${on.ports.queen}`)], cwd)

const follow = async (page: string) => {
  const folder = join(on.home, "work")
  mkdirSync(folder, { recursive: true })
  for (const { text } of here.filter((block) => block.page === page)) expect(await bash(text, folder)).toBeUndefined()
  rmSync(folder, { recursive: true, force: true })
}

it.each(pages)(
  "the commands of %s run, one after another",
  async (page) => {
    await follow(page)
    // the next page is read by somebody else
    await on.rbee(["down"])
    rmSync(join(on.home, ".config"), { recursive: true, force: true })
  },
  120_000
)

it("what the page on backups saves is there again: jobs, pins, the token and the settings", async () => {
  const settings = join(on.home, ".config", "rbee", "config.toml")
  mkdirSync(dirname(settings), { recursive: true })
  writeFileSync(settings, "[worker]\nslots = 2\n")
  await on.rbee(["infer", "hello"])
  await on.rbee(["models", "pin", "minillama"])
  const token = join(on.home, ".local", "state", "rbee", "token")
  const kept = async () => {
    const { stdout: jobs } = await on.rbee(["jobs", "ls", "--json"])
    const { stdout: model } = await on.rbee(["models", "show", "minillama", "--json"])
    const pinned: unknown = /"pinned": ?(\w+)/.exec(model)?.[1]
    return {
      jobs: jobs.match(/job-[0-9a-f]+/g),
      pinned,
      token: readFileSync(token, "utf8"),
      settings: readFileSync(settings, "utf8")
    }
  }
  const before = await kept()
  expect([before.jobs?.length ?? 0, before.pinned]).toEqual([expect.toSatisfy((count: number) => count > 0), "true"])
  await follow(backup)
  expect(await kept()).toEqual(before)
  await on.rbee(["down"])
}, 120_000)

const programs = blocks(textOf("docs/library.md"), "js").map((text, at) => ({ number: at + 1, text }))

it.each(programs)("program $number of the page on the library runs", async ({ text }) => {
  const folder = join(on.home, "project")
  mkdirSync(join(folder, "node_modules"), { recursive: true })
  if (!existsSync(join(folder, "node_modules", "rbee"))) symlinkSync(resolve("."), join(folder, "node_modules", "rbee"))
  writeFileSync(join(folder, "main.mjs"), text)
  expect(await run(process.execPath, ["main.mjs"], folder)).toBeUndefined()
})
