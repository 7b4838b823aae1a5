/** Every fault that a hub can have, one after the other, through the real programs. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { bundledFolder } from "../../src/layers/models/sources.ts"
import { invalid } from "../support/gguf.ts"
import {
  cutAt,
  type Fault,
  flip,
  noLength,
  onFiles,
  rangeIgnored,
  rangeRefused,
  redirectTo,
  stallAt,
  status,
  testHub,
  type TestHub
} from "../support/hub.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const hubs: Array<TestHub> = []
afterEach(async () => {
  for (const hub of hubs.splice(0)) await hub.close()
})

const model = "HF:acme/tiny:Q8_0"
const bytes = 3_297_568
const [cut, cutRange] = [1_319_028, "bytes=1319028-"]

/** The first answers have these faults, the rest has none. */
const then = (...faults: ReadonlyArray<Fault>): Fault => {
  const left = [...faults]
  return onFiles((request, response) => left.shift()?.(request, response) === true)
}
/** On every answer for another repository than the slow one. */
const butSlow =
  (fault: Fault): Fault =>
  (request, response) =>
    !(request.url ?? "").includes("/slow") && fault(request, response)

describe("A hub", () => {
  it("may cut, lie, refuse, redirect and stall: each ends right, and nothing unverified is in the catalog", async () => {
    const bundled = readFileSync(join(bundledFolder() ?? "", "minillama-q8_0.gguf"))
    const hub = await testHub({
      "acme/slow/slow-Q8_0.gguf": Buffer.concat([bundled, Buffer.alloc(64)]),
      "acme/bad/not-Q8_0.gguf": readFileSync(await invalid("not-gguf")),
      "acme/bad/cut-Q4_0.gguf": readFileSync(await invalid("truncated")),
      "acme/bad/words-F16.gguf": readFileSync(await invalid("vocabulary-only"))
    })
    const elsewhere = await testHub()
    hubs.push(hub, elsewhere)
    const on = await machine({ env: { HF_ENDPOINT: hub.url, HF_TOKEN: "hf_secret" } })
    // known only now
    on.env["HF_HOME"] = join(on.home, "hf")
    const rbee = async (args: ReadonlyArray<string>, code: number) => {
      const done = await on.rbee(args)
      assert.strictEqual(done.code, code, `${args.join(" ")}: ${done.stdout}${done.stderr}`)
      return done
    }
    assert.strictEqual((await on.rbee(["up"])).code, 0)
    // it takes the half minute that a stall is waited for; the others go on beside it
    hub.always = stallAt(2_000_000)
    const slow = on.start(["models", "pull", "HF:acme/slow"])
    await slow.until(({ stderr }) => stderr().includes("… 60% @"))

    const fails = async (fault: Fault, says: ReadonlyArray<string>, ref = model) => {
      hub.always = butSlow(fault)
      const { stderr } = await rbee(["models", "pull", ref], 1)
      for (const words of says) assert.include(stderr, words)
    }
    const brings = async (fault: Fault, ranges: ReadonlyArray<string | undefined>) => {
      const before = hub.fetches().length
      hub.always = butSlow(fault)
      await rbee(["models", "pull", model], 0)
      assert.deepEqual(
        hub
          .fetches()
          .slice(before)
          .map(({ range }) => range),
        ranges
      )
      await rbee(["models", "rm", model], 0)
    }

    await brings(then(cutAt(cut)), [undefined, cutRange])
    await brings(then(noLength), [undefined])
    await brings(then(cutAt(cut), rangeIgnored), [undefined, cutRange])
    // refused, it is asked for whole
    await brings(then(cutAt(cut), rangeRefused), [undefined, cutRange, undefined])
    await brings(then(status(429, { "retry-after": "1" }), status(503)), [undefined, undefined, undefined])
    await brings(then(flip), [undefined, undefined])
    await brings(redirectTo(elsewhere.url), [undefined])
    assert.isAbove(elsewhere.fetches().length, 0)
    assert.isTrue(elsewhere.seen.every(({ authorization }) => authorization === undefined))
    assert.isTrue(hub.fetches().every(({ authorization }) => authorization === "Bearer hf_secret"))

    await fails(flip, ["CHECKSUM_MISMATCH"])
    await fails(status(404), ["MODEL_NOT_FOUND"])
    await fails(status(401), ["MODEL_ACCESS_DENIED", "HF_TOKEN"])
    await fails(status(403, { "x-error-code": "GatedRepo" }), ["MODEL_ACCESS_DENIED", "HF_TOKEN"])
    await fails(() => false, ["MODEL_INVALID", "not a GGUF file"], "HF:acme/bad:Q8_0")
    await fails(() => false, ["MODEL_INVALID", "truncated"], "HF:acme/bad:Q4_0")
    await fails(() => false, ["MODEL_INVALID", "vocabulary only"], "HF:acme/bad:F16")
    await fails(() => false, ["MODEL_NOT_FOUND", "tiny-Q8_0.gguf"], "HF:acme/tiny:Q5_0")

    const { code, stderr } = await slow.finished
    assert.strictEqual(code, 0, stderr)
    assert.include(stderr, "hive: resuming download at 60%")
    const listed = JSON.parse((await rbee(["models", "ls", "--json"], 0)).stdout)
    assert.deepEqual(
      listed.map((each: { model_ref: string; bytes: number }) => [each.model_ref, each.bytes]),
      [["HF:acme/slow", bytes + 64]]
    )
    // queen and hive have lived through all of it
    assert.sameMembers(
      on.processes().map(({ role }) => role),
      ["queen", "hive"]
    )
  }, 120_000)
})
