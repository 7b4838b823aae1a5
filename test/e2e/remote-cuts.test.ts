/** The link to a remote hive is cut while an answer streams: hosts of our own in network namespaces. */
import { readFileSync } from "node:fs"
import { afterEach, assert, describe, it } from "vitest"
import { eventually, type Machine, type Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { hasNamespaces, hasSlowLinks, makeNamespace, type Namespace } from "../support/namespace.ts"
import { patience } from "../support/patience.ts"
import { isWhole } from "../support/proof.ts"
import { hasSshd, type RemoteMachine } from "../support/remote.ts"
import { useRemotes } from "../support/remotes.ts"

const machine = useMachines()
const remote = useRemotes()
const namespaces: Array<Namespace> = []
afterEach(() => {
  for (const namespace of namespaces.splice(0)) namespace.remove()
})

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const ask = ["--temperature", "0", "--ignore-eos", "tell me a story"]

const tokensAsked = isWhole ? 150 : 90

/** What they are where nothing is set, and more on a machine that lets a beat wait. */
const slowness = patience(1)
const lateMs = Math.round(3000 * slowness)
const lostMs = Math.round(10_000 * slowness)

/** Two thirds of what makes a hive late; where other tests may come to the same cores, two fifths. */
const shortMs = isWhole ? 2000 : 1200

/** What a machine without any pace and any cut answers. */
const undisturbed = async (count: number): Promise<string> => {
  const { stdout } = await (await machine()).rbee(["infer", ...ask, "--json", "--max-tokens", String(count)])
  return textOf(stdout)
}

interface Pair {
  readonly link: Namespace
  readonly there: RemoteMachine
  readonly on: Machine
}

const pair = async (tokensPerS: number): Promise<Pair> => {
  const link = makeNamespace()
  namespaces.push(link)
  const pace = {
    RBEE_WORKER_MAX_TOKENS_PER_S: String(tokensPerS),
    RBEE_HIVE_LATE_MS: String(lateMs),
    RBEE_HIVE_LOST_MS: String(lostMs)
  }
  const there = await remote({
    installed: true,
    env: pace,
    within: { prefix: link.prefix, address: link.address, port: 2222 }
  })
  const on = await machine({ env: { RBEE_QUEEN_SSH_CONFIG: there.config, ...pace } })
  const add = await on.rbee(["hives", "add", "remote"])
  assert.strictEqual(add.code, 0, add.stderr)
  return { link, there, on }
}

const states = (on: Machine): ReadonlyArray<string> =>
  readFileSync(`${on.home}/logs/queen.log`, "utf8")
    .split("\n")
    .flatMap((line) => /hive remote is (\w+)"/.exec(line)?.[1] ?? [])

const tokensOf = (run: Running): ReadonlyArray<number> =>
  run
    .stdout()
    .split("\n")
    .flatMap((line) => {
      const index = /"event":"token".*?"i":(\d+)/.exec(line)?.[1]
      return index === undefined ? [] : [Number(index)]
    })
const textOf = (stdout: string): string =>
  stdout
    .split("\n")
    .filter((line) => line.includes('"event":"token"'))
    .map((line) => (JSON.parse(line) as { t: string }).t)
    .join("")

describe.skipIf(!hasSshd || !hasNamespaces)("the link to a remote hive", () => {
  it("is cut for a moment, flaps, and is cut for four fifths of what makes it lost while an answer streams: degraded and back, nothing lost, nothing repeated", async () => {
    const { link, on } = await pair(6)
    const count = tokensAsked
    const run = on.start(["infer", "--hive", "remote", ...ask, "--json", "--max-tokens", String(count)], {
      limitMs: 200_000
    })
    await run.until(() => tokensOf(run).length > 5)
    link.cut()
    await sleep(shortMs)
    link.mend()
    const afterFirst = tokensOf(run).length
    await run.until(() => tokensOf(run).length > afterFirst + 20)
    assert.notInclude(states(on), "degraded")
    assert.notInclude(run.stdout(), '"event":"failover"')
    for (let flap = 0; flap < 5; flap++) {
      link.cut()
      await sleep(300)
      link.mend()
      await sleep(300)
    }
    const afterFlaps = tokensOf(run).length
    await run.until(() => tokensOf(run).length > afterFlaps + 10)
    assert.notInclude(run.stdout(), '"event":"failover"')
    const before = tokensOf(run).length
    assert.isBelow(before, count)
    link.cut()
    await sleep(0.8 * lostMs)
    link.mend()
    const { code, stderr, stdout } = await run.finished
    assert.strictEqual(code, 0, stderr)
    assert.deepEqual(
      tokensOf(run),
      Array.from({ length: count }, (_, i) => i)
    )
    // at four fifths of that time without contact a hive ends its answers; then this one went on there, in a new epoch
    assert.isAtMost(stdout.split('"event":"failover"').length - 1, 1)
    assert.include(states(on), "degraded")
    assert.strictEqual(states(on).at(-1), "healthy")
    assert.strictEqual(states(on).filter((state) => state === "waking").length, 2, "it was never lost")
    assert.strictEqual(textOf(stdout), await undisturbed(count))
  }, 240_000)

  it("is cut for a minute: the hive is lost, its job goes on elsewhere with the same text, and it comes back by itself", async () => {
    const { link, on } = await pair(6)
    const count = tokensAsked
    assert.strictEqual((await on.rbee(["hives", "start", "remote"])).code, 0)
    const run = on.start(["infer", ...ask, "--json", "--max-tokens", String(count)], { limitMs: 180_000 })
    await run.until(() => tokensOf(run).length > 5)
    assert.strictEqual((await on.rbee(["hives", "start"])).code, 0)
    link.cut()
    const cutFor = isWhole ? sleep(60_000) : run.finished
    const { code, stderr, stdout } = await run.finished
    assert.strictEqual(code, 0, stderr)
    assert.deepEqual(
      tokensOf(run),
      Array.from({ length: count }, (_, i) => i)
    )
    assert.strictEqual(stdout.split('"event":"failover"').length - 1, 1)
    assert.include(stderr + stdout, "hive remote")
    assert.strictEqual(textOf(stdout), await undisturbed(count))
    await cutFor
    link.mend()
    await eventually(
      () => states(on).at(-1) === "healthy",
      () => states(on).join(" "),
      45_000
    )
  }, 240_000)

  it.skipIf(!hasSlowLinks)(
    "is slow: a hive is woken and answers all the same",
    async () => {
      const { link, on } = await pair(20)
      link.slow(1000)
      const count = 60
      const run = await on.rbee(["infer", "--hive", "remote", ...ask, "--json", "--max-tokens", String(count)])
      assert.strictEqual(run.code, 0, run.stderr)
      assert.strictEqual(textOf(run.stdout), await undisturbed(count))
      assert.notInclude(run.stdout, '"event":"failover"')
    },
    90_000
  )
})
