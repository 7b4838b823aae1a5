/** Completions in the shells themselves: bash and zsh on a terminal, fish as it answers who asks it. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { layerRandom } from "../../../src/layers/ids/random.ts"
import { modelNotes, notesFolder } from "../../../src/layers/models/notes.ts"
import { homeOf, hiveFolder, queenFolder } from "../../../src/layers/paths/index.ts"
import { QueenCatalog } from "../../../src/layers/queen-catalog/index.ts"
import { layerSqlite } from "../../../src/layers/queen-catalog/sqlite.ts"
import { HiveId, localHive, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { eventually, type Machine } from "../../support/machine.ts"
import { useMachines } from "../../support/machines.ts"
import { patience } from "../../support/patience.ts"

const program = fileURLToPath(new URL("../../../dist/rbee.js", import.meta.url))
const machine = useMachines(afterAll)
const ref = "HF:test/tiny-model:Q4_K_M"

const isThere = (shell: string): boolean =>
  ["/bin", "/usr/bin", "/usr/local/bin"].some((bin) => existsSync(join(bin, shell)))
const hasTerminal = existsSync("/usr/bin/script")

const has = (on: Machine) => {
  const home = homeOf({ RBEE_HOME: on.home }, "")
  const file = join(on.home, "tiny-model.gguf")
  writeFileSync(file, "GGUF")
  return Effect.gen(function* () {
    const { hives } = yield* QueenCatalog
    const at = { addedAt: 1 }
    yield* hives.put({ id: HiveId.make("attic"), ssh: { host: "attic.lan", hive_port: 8600 }, ...at })
    const note = {
      ref: ModelRef.make(ref),
      file,
      sha256: undefined,
      owned: false,
      pinned: false,
      why: undefined,
      addedAt: 1
    }
    yield* Effect.promise(() =>
      modelNotes(notesFolder(hiveFolder(home, localHive))).put({ ...note, lastUsedAt: undefined })
    )
  }).pipe(
    Effect.provide(layerSqlite(join(queenFolder(home), "catalog.sqlite"))),
    Effect.provide(layerRandom),
    Effect.runPromise
  )
}

/** A machine with `rbee` in its path, where everybody sleeps: a hive and a model are known. */
let on: Machine
let env: Record<string, string>
beforeAll(async () => {
  on = await machine()
  await has(on)
  const bin = join(on.home, "bin")
  mkdirSync(bin)
  writeFileSync(join(on.home, "config.toml"), `[models.fast]\nref = "minillama"\n`)
  writeFileSync(join(bin, "rbee"), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`, { mode: 0o755 })
  env = { ...on.env, PATH: `${bin}:${process.env["PATH"] ?? ""}`, HOME: on.home, TERM: "dumb", PS1: "$ " }
})

const shells: Array<ChildProcessWithoutNullStreams> = []
afterEach(() => {
  for (const shell of shells.splice(0)) shell.kill("SIGKILL")
})

/** A shell on a terminal, with our script loaded. */
const onTerminal = async (command: string, load: string) => {
  const shell = spawn("script", ["-qefc", command, "/dev/null"], { env, cwd: on.home })
  shells.push(shell)
  let screen = ""
  for (const out of [shell.stdout, shell.stderr]) out.setEncoding("utf8").on("data", (text: string) => (screen += text))
  const seen = (what: string) =>
    eventually(
      () => screen.includes(what),
      () => `${what} on ${JSON.stringify(screen)}`,
      20_000
    )
  // what it runs says so, and not its echo
  shell.stdin.write(`${load}; echo rea''dy\n`)
  await seen("ready")
  return {
    /** The line that a Tab behind `typed` leaves, as the shell has it. */
    completed: async (typed: string): Promise<string> => {
      screen = ""
      shell.stdin.write(`${typed}\t`)
      shell.stdin.write("\u0001echo '<'\u0005'>'\n")
      await eventually(
        () => /<.*>\r?\n/.test(screen.replace(/echo '<'[^\n]*\n/, "")),
        () => JSON.stringify(screen),
        20_000
      )
      return /<(.*)>\r?\n/.exec(screen.replace(/^[^\n]*\n/, ""))?.[1] ?? screen
    }
  }
}

const lines: ReadonlyArray<readonly [typed: string, completed: string]> = [
  ["rbee compl", "rbee completions "],
  ["rbee models dia", "rbee models dialect "],
  ["rbee infer --one", "rbee infer --one-process "],
  // names with a colon are one word
  ["rbee infer --model HF:te", `rbee infer --model ${ref} `],
  ["rbee models show H", `rbee models show ${ref} `],
  ["rbee infer --model=HF:test/", `rbee infer --model=${ref} `],
  ["rbee hives show at", "rbee hives show attic "],
  ["rbee completions f", "rbee completions fish "]
]

describe.runIf(hasTerminal && isThere("bash"))("in bash", () => {
  it(
    "a Tab completes commands, flags, models with colons and hives",
    async () => {
      const bash = await onTerminal("bash --norc --noprofile -i", "source <(rbee completions bash)")
      for (const [typed, completed] of lines) expect(await bash.completed(typed)).toBe(completed)
      expect(on.processes().filter(({ role }) => role !== "other")).toEqual([])
    },
    patience(60_000)
  )
})

describe.runIf(hasTerminal && isThere("zsh"))("in zsh", () => {
  it(
    "a Tab completes commands, flags, models with colons and hives",
    async () => {
      const zsh = await onTerminal("zsh -f -i", 'bindkey -e; unset zle_bracketed_paste; eval "$(rbee completions zsh)"')
      for (const [typed, completed] of lines) expect((await zsh.completed(typed)).trimEnd()).toBe(completed.trimEnd())
    },
    patience(60_000)
  )
})

describe.runIf(isThere("fish"))("in fish", () => {
  it(
    "a Tab offers commands, flags, models with colons and hives, each with what it is",
    () => {
      const typed = [...lines.map(([one]) => one), "rbee hives show ", "rbee models dialect tiny"]
      const asked = typed.map((one) => `complete -C '${one}'; echo ==`).join("; ")
      const script = `rbee completions fish | source; ${asked}`
      const said = execFileSync("fish", ["--no-config", "-c", script], { env, cwd: on.home, encoding: "utf8" })
      const offered = said.split("==\n")
      for (const [index, [, completed]] of lines.entries())
        expect(offered[index]?.split(/[\t\n]/)[0]).toBe(completed.trimEnd().split(" ").at(-1))
      expect(offered[lines.length]).toContain("attic\tasleep")
      expect(offered[lines.length + 1]).toContain("tiny-model.gguf")
    },
    patience(60_000)
  )
})

describe("who is asked at a Tab", () => {
  const asked = async (...words: ReadonlyArray<string>) =>
    (await on.rbee(["__complete", ...words])).stdout.split("\n").map((line) => line.split("\t")[0])

  it(
    "is whoever runs: jobs, workers, devices and hives as the queen has them",
    async () => {
      const awake = await machine()
      expect((await awake.rbee(["infer", "--max-tokens", "3", "hello"])).code).toBe(0)
      const offered = async (...words: ReadonlyArray<string>) => (await awake.rbee(["__complete", ...words])).stdout
      expect(await offered("jobs", "show", "")).toMatch(/^job-\w+\tdone minillama$/m)
      expect(await offered("jobs", "cancel", "")).toBe("")
      expect(await offered("workers", "stop", "")).toMatch(/\tminillama on localhost$/m)
      expect(await offered("infer", "--device", "")).toMatch(/^cpu\tCPU$/m)
      expect(await offered("hives", "stop", "l")).toBe("localhost\thealthy\n")
      expect(await offered("models", "pin", "")).toMatch(/^minillama\t/)
    },
    patience(60_000)
  )

  it("is nobody who sleeps, and nothing is said of what is wrong", async () => {
    const before = readdirSync(on.home)
    expect(await asked("hives", "rm", "")).toContain("attic")
    expect(await asked("models", "rm", "H")).toContain(ref)
    expect((await on.rbee(["__complete", "run", "f"])).stdout).toBe("fast\tminillama\n")
    expect(await asked("jobs", "show", "")).toEqual([""])
    const config = mkdtempSync(join(tmpdir(), "rbee-config-"))
    writeFileSync(join(config, "ssh"), "Host gpu-box *.lan\n  User me\nHost !x other\n")
    expect((await on.rbee(["__complete", "hives", "add", "", "--queen-ssh-config"])).code).toBe(0)
    const hosts = await on.rbee(["__complete", "--queen-ssh-config", join(config, "ssh"), "hives", "add", ""])
    expect(hosts.stdout).toBe("gpu-box\tssh\nother\tssh\n")
    rmSync(config, { recursive: true })
    const broken = await on.rbee(["__complete", "hives", "rm", ""], { env: { RBEE_QUEEN_PORT: "x" } })
    expect(broken).toMatchObject({ code: 0, stdout: "", stderr: "" })
    expect(readdirSync(on.home)).toEqual(before)
    expect(on.processes()).toEqual([])
  })
})
