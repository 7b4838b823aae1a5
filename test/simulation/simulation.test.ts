/** The whole cluster under faults, in virtual time. `npm run simulate -- --seeds N` runs more of the same. */
import { execFile, execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Fiber from "effect/Fiber"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { deadlyModel, deadlyOf, type Plan, planOf, raceOf, sleepsOf, staysOf } from "../../src/simulator/run/plan.ts"
import { type Outcome, runPlan } from "../../src/simulator/run/run.ts"
import { shrink } from "../../src/simulator/run/shrink.ts"
import { measuringSurfaces } from "../../src/simulator/clients/measuring.ts"
import { surfaceNames } from "../../src/simulator/clients/surfaces.ts"
import { speeches } from "../../src/simulator/world/speech.ts"
import { isWhole, sampleOf } from "../support/proof.ts"
import { apply, hunt, plantedIn } from "./planted.ts"

const run = promisify(execFile)
const turn = promisify(setImmediate)
const root = fileURLToPath(new URL("../..", import.meta.url))
/** Where the residents begin. */
const actors = ["queen/queen", "queen/log/job-logs", "hive/hive", "worker/worker", "keeper/infer"].map(
  (name) => `src/actors/${name}.ts`
)
const planted = plantedIn(root)
/** planted bug → what it breaks in one of the first seeds */
const quicklyFound = new Map([
  ["epoch-used-twice", /one worker an epoch/],
  ["fold-begins-anew", /the deltas of a job are the fold of its tokens/],
  ["hive-ends-before-workers", /no child without its supervisor|a lease lasts as long as its worker/],
  ["shown-before-journal", /the undisturbed text|an answer goes on where it was/]
])
/** Seed after seed; the event loop gets its turn between them, or the runner takes the test for hung. */
const runAll = async (plans: ReadonlyArray<Plan>): Promise<ReadonlyArray<Outcome>> => {
  const outcomes: Array<Outcome> = []
  for (const plan of plans) {
    outcomes.push(runPlan(plan))
    await turn()
  }
  return outcomes
}
const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
const hasOneModel = ({ jobs }: Plan) => new Set(jobs.map(({ model }) => model)).size === 1
const broken = (outcomes: ReadonlyArray<Outcome>) =>
  outcomes.flatMap(({ broken: each, plan }) => (each === undefined ? [] : [{ seed: plan.seed, ...each }]))

describe("The simulated cluster", () => {
  it("answers every job with the undisturbed text where nothing fails", async () => {
    const outcomes = await runAll(range(1, isWhole ? 10 : 5).map((seed) => planOf(seed, { faults: false })))
    expect(broken(outcomes)).toEqual([])
    // one device has not always room for several models
    const ends = outcomes.flatMap((each) => (hasOneModel(each.plan) ? each.ends : []))
    expect(new Set(ends)).toEqual(new Set(["done"]))
  }, 300_000)

  it("has a queen who was told to stay there again, whatever killed her, and one who was told to end nowhere", async () => {
    expect(broken(await runAll(range(1, isWhole ? 100 : 5).map((seed) => staysOf(seed))))).toEqual([])
  }, 300_000)

  it("has a journal that is late in some of its plans, and none where nothing fails", async () => {
    const late = range(1, 100)
      .map((seed) => planOf(seed))
      .filter(({ journalMs }) => journalMs !== undefined)
    expect(late.length).toBeGreaterThan(5)
    expect(late.length).toBeLessThan(30)
    expect(range(1, 100).some((seed) => planOf(seed, { faults: false }).journalMs !== undefined)).toBe(false)
    // it is on the way of every token of theirs: without it they run otherwise
    const [plan] = late
    if (plan === undefined) return
    const { journalMs: _, ...prompt } = plan
    const [here, far] = await runAll([prompt, plan])
    expect(broken([here, far].filter((each) => each !== undefined))).toEqual([])
    expect(far?.digest).not.toBe(here?.digest)
  }, 300_000)

  it("has models that reason and call tools in some of its plans, heard over every surface", async () => {
    const spoken = range(1, 100).flatMap((seed) => {
      const plan = planOf(seed, { faults: false })
      return plan.speech === undefined ? [] : [plan]
    })
    const asked = spoken.flatMap(({ jobs }) =>
      jobs.flatMap(({ client, texts }) => (texts ? [] : (client?.surface ?? [])))
    )
    expect(new Set(asked)).toEqual(new Set(surfaceNames))
    expect(new Set(spoken.map(({ speech }) => speech?.form))).toEqual(new Set(speeches.keys()))
    expect(broken(await runAll(spoken.slice(0, isWhole ? 20 : 3)))).toEqual([])
  }, 300_000)

  it("has texts measured in some of its plans, over every surface, alone and beside answers", async () => {
    const plans = range(1, 100).map((seed) => planOf(seed, { faults: false }))
    const measuring = plans.filter(({ jobs }) => jobs.some(({ texts }) => texts !== undefined))
    const asked = measuring.flatMap(({ jobs }) => jobs.flatMap(({ client, texts }) => (texts ? client?.surface : [])))
    expect(new Set(asked)).toEqual(new Set(Object.keys(measuringSurfaces)))
    expect(measuring.some((plan) => !hasOneModel(plan))).toBe(true)
    const outcomes = await runAll(measuring.filter(hasOneModel).slice(0, isWhole ? 20 : 3))
    expect(broken(outcomes)).toEqual([])
    expect(new Set(outcomes.flatMap(({ ends }) => ends))).toEqual(new Set(["done"]))
  }, 300_000)

  it("wakes machines that sleep for requests alone, and foresees after three times how long that takes", async () => {
    const outcomes = await runAll(range(1, isWhole ? 30 : 2).map(sleepsOf))
    expect(broken(outcomes)).toEqual([])
    expect(new Set(outcomes.flatMap(({ ends }) => ends))).toEqual(new Set(["done"]))
    // each of the last three of six jobs
    expect(outcomes.map(({ foreseen }) => foreseen)).toEqual(outcomes.map(() => 3))
  }, 300_000)

  it("has machines that sleep in some of its plans, at their owners' will also under work, and in no other", async () => {
    const plans = range(1, 200).map((seed) => planOf(seed))
    const sleeping = plans.filter(({ hives }) => hives.some(({ sleeps }) => sleeps !== undefined))
    expect(sleeping.length).toBeGreaterThan(10)
    expect(sleeping.length).toBeLessThan(50)
    const naps = sleeping.filter(({ hives }) => hives.some(({ sleeps }) => (sleeps?.naps.length ?? 0) > 0))
    expect(naps.length).toBeGreaterThan(5)
    expect(broken(await runAll(naps.slice(0, isWhole ? 20 : 2)))).toEqual([])
  }, 300_000)

  it("has hives of other machines answer, too", () => {
    const spawned = new Set<string>()
    const note = (line: string): void => {
      const [, machine] = / spawn (m\d+)\/worker-/.exec(line) ?? []
      if (machine !== undefined) spawned.add(machine)
    }
    for (const seed of range(1, 2)) runPlan(planOf(seed, { hives: 3, faults: false }), note)
    expect([...spawned].toSorted()).toEqual(["m0", "m1", "m2"])
  }, 300_000)

  it("runs each seed in its own way", async () => {
    const digests = (await runAll(range(1, isWhole ? 10 : 5).map((seed) => planOf(seed)))).map(({ digest }) => digest)
    expect(new Set(digests).size).toBe(digests.length)
  }, 300_000)

  it("gives the last room to one of two jobs that race for it", async () => {
    expect(broken(await runAll(range(1, isWhole ? 20 : 8).map(raceOf)))).toEqual([])
  }, 300_000)

  it("gives more context to all who need it where one worker fits, one after the other", async () => {
    const plans = [17, 31, 100].map((seed) => planOf(seed, { faults: false }))
    expect(plans.every(({ jobs }) => jobs.filter(({ words }) => words !== undefined).length > 1)).toBe(true)
    const outcomes = await runAll(plans)
    expect(broken(outcomes)).toEqual([])
    expect(new Set(outcomes.flatMap(({ ends }) => ends))).toEqual(new Set(["done"]))
  }, 300_000)

  it("refuses a file that ends its workers, and nothing else because of it", async () => {
    const outcomes = await runAll(range(1, isWhole ? 12 : 5).map((seed) => deadlyOf(seed)))
    expect(broken(outcomes)).toEqual([])
    const ends = outcomes.flatMap(({ plan: { jobs }, ends: all }) => [
      all.filter((end) => end === "done").length - jobs.filter(({ model }) => model === undefined).length,
      all.filter((end) => end === "MODEL_INVALID").length - jobs.filter(({ model }) => model === deadlyModel).length
    ])
    expect(new Set(ends)).toEqual(new Set([0]))
    expect(broken(await runAll(range(100, isWhole ? 12 : 5).map((seed) => deadlyOf(seed, true))))).toEqual([])
  }, 300_000)

  it.each(planted)("could have this planted: $what", (each) => {
    apply(root, each, ["--check"])
  })

  it.each(
    sampleOf(
      planted.filter(({ name }) => quicklyFound.has(name)),
      1
    )
  )(
    "finds this within seconds: $what",
    async (each) => {
      expect((await hunt(root, each, 60_000)).found).toMatch(quicklyFound.get(each.name) ?? /never/)
    },
    90_000
  )

  it("is gone when its run is over, fibers of killed processes among it", () => {
    const killed = range(1, 100)
      .map((seed) => planOf(seed))
      .find(({ faults }) => faults.some(({ kind }) => kind === "kill-worker"))
    const before = Fiber.unsafeRoots().length
    if (killed !== undefined) runPlan(killed)
    expect(killed).toBeDefined()
    expect(Fiber.unsafeRoots().length).toBe(before)
  })

  it("finds the canary, and shrinks it to nothing but a job", () => {
    const plan = { ...planOf(7), canary: true }
    const found = runPlan(plan).broken
    expect(found?.invariant).toBe("ids grow")
    const smallest = shrink(plan, "ids grow").plan
    expect(smallest.jobs).toHaveLength(1)
    expect(smallest.faults).toEqual([])
  }, 300_000)
})

describe("The program", () => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-simulate-"))
  const seeds = [1, 9]
  let inputs: ReadonlyMap<string, ReadonlySet<string>> = new Map()

  beforeAll(async () => {
    const { bundle } = await import("../../tools/build.mjs")
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
    writeFileSync(join(folder, "package.json"), '{"type":"module"}')
    await bundle({ simulate: "src/main/simulate.ts" }, join(folder, "dist"))
    const programs = ["simulate", "queen", "hive", "worker"].map((name) => [name, `src/main/${name}.ts`] as const)
    const found = await Promise.all(
      [...programs, ...actors.map((file) => [file, file] as const)].map(async ([name, file]) => {
        const { metafile } = await bundle({ entry: file }, folder, { metafile: true, write: false })
        return [name, new Set(Object.keys(metafile.inputs))] as const
      })
    )
    inputs = new Map(found)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("keeps every invariant under faults in many seeds, and runs each of them the same way again", async () => {
    const seedCount = isWhole ? 200 : 8
    const args = [join(folder, "dist/simulate.js"), "--seeds", String(seedCount), "--jobs", "2", "--twice"]
    const { stdout } = await run(process.execPath, ["--max-semi-space-size=64", ...args])
    expect(stdout).toContain(`${seedCount} seeds, 0 broken`)
    expect(stdout).toContain("canary: found")
    // the faults struck where it hurts
    expect(Number(/failovers (\d+)/.exec(stdout)?.[1])).toBeGreaterThan(seedCount / 4)
  }, 900_000)

  it("gives a seed the same event log in another process", () => {
    for (const seed of seeds) {
      const said = execFileSync(process.execPath, [join(folder, "dist/simulate.js"), "--seed", String(seed)], {
        encoding: "utf8"
      })
      expect(said).toContain(`seed ${seed} ${runPlan(planOf(seed)).digest} `)
    }
  }, 120_000)

  it("runs every actor and every machine of the daemons, and replaces layers alone", () => {
    const ours = (name: string) => [...(inputs.get(name) ?? [])].filter((file) => file.startsWith("src/"))
    const simulated = new Set(ours("simulate"))
    for (const name of ["queen", "hive", "worker"]) {
      const resident = ours(name).filter((file) => file.startsWith("src/actors/"))
      expect(resident.length).toBeGreaterThan(5)
      expect(resident.filter((file) => !simulated.has(file))).toEqual([])
    }
    // all that an actor reaches: its machines, its policy, the interfaces of its ports
    for (const name of actors) expect(ours(name).filter((file) => !simulated.has(file))).toEqual([])
    // and nothing of the simulator's own beside them but layers and the composition
    const known = new Set(actors.flatMap(ours))
    const own = [...simulated].filter((file) => !known.has(file) && !/^src\/(actors|machines)\//.test(file))
    expect(own.filter((file) => !/^src\/(layers\/|protocol\/|simulator\/|main\/simulate)/.test(file))).toEqual([])
  })

  it("refuses arguments that it does not know with exit code 2", () => {
    const refused = () =>
      execFileSync(process.execPath, [join(folder, "dist/simulate.js"), "--seeds", "none"], { encoding: "utf8" })
    expect(refused).toThrow(expect.objectContaining({ status: 2 }))
  })
})
