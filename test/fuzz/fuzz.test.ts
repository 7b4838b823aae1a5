/** A short run of the fuzzer (`npm run fuzz -- --minutes N` is the long one): what needs no daemons, and then those. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, it } from "vitest"
import { fuzz } from "./run.ts"
import { config } from "./targets/config.ts"
import { gguf } from "./targets/gguf.ts"
import { hub } from "./targets/hub.ts"
import { Finding, type Target } from "./target.ts"

const seed = 20_261_129

it("headers, configurations and hubs that are nearly right are taken or refused with a reason", async () => {
  const tallies = await fuzz([gguf, config, hub], { seed, ms: 600_000, inputs: 150 })
  expect(tallies.flatMap(({ found }) => found)).toEqual([])
  for (const { inputs } of tallies) expect(inputs).toBeGreaterThanOrEqual(150)
}, 240_000)

it("real daemons live through hostile requests, hives, workers, stores and command lines", async () => {
  const program = fileURLToPath(new URL("../../tools/fuzz.mjs", import.meta.url))
  const names = ["sqlite", "http", "hive", "worker", "model", "cli"]
  const least = 10
  const only = names.flatMap((name) => ["--only", name])
  const args = [
    program,
    "--minutes",
    "0.1",
    "--inputs",
    "150",
    "--least",
    String(least),
    "--seed",
    String(seed),
    ...only
  ]
  const { stderr, stdout } = await promisify(execFile)(process.execPath, args)
  expect(`${stdout}${stderr}`).toContain(" 0 found")
  for (const name of names) {
    const [, inputs] = new RegExp(`^${name} +(\\d+) inputs`, "m").exec(stdout) ?? []
    expect(Number(inputs), `${name}: ${stdout}`).toBeGreaterThanOrEqual(least)
  }
}, 240_000)

it("a fault that is planted is found, with the seed that finds it again", async () => {
  const planted: Target = {
    name: "planted",
    parallel: 1,
    open: async () => ({
      one: async (random) => {
        if (random.int(0, 99) === 7) throw new Finding("untyped", "planted")
        if (random.int(0, 99) === 8) throw new TypeError("planted too")
        return 1
      },
      check: async () => undefined,
      peakMb: () => 0,
      close: async () => undefined
    })
  }
  const [first] = await fuzz([planted], { seed, ms: 10_000, inputs: 2000 })
  const [again] = await fuzz([planted], { seed, ms: 10_000, inputs: 2000 })
  expect(new Set(first?.found.map(({ kind }) => kind))).toEqual(new Set(["untyped", "crash"]))
  expect(again?.found.map((each) => each.seed)).toEqual(first?.found.map((each) => each.seed))
})
