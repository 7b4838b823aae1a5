/** Runs the targets in turns until their time or their inputs are used up, and tells what was found. */
import { SeededRandom } from "../../src/simulator/world/kernel/random.ts"
import { Finding, type Kind, type Session, type Target } from "./target.ts"

export interface Limits {
  readonly seed: number
  /** milliseconds in all */
  readonly ms: number
  /** inputs a target at most */
  readonly inputs: number
  /** inputs a target at least, also where its time is over */
  readonly least?: number
}

export interface Found {
  readonly kind: Kind
  /** of `--seed`, to try this one again */
  readonly seed: number
  readonly what: string
}

export interface Tally {
  readonly target: string
  inputs: number
  peakMb: number
  readonly found: Array<Found>
}

/** inputs between two looks at whether everything lives */
const checkEvery = 200
const foundMax = 20

/** Every input has a seed of its own: it can be tried again alone. */
const seedOf = (seed: number, index: number): number =>
  (Math.imul(seed, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)) >>> 0

const note = (tally: Tally, seed: number, error: unknown): void => {
  const kind: Kind = error instanceof Finding ? error.kind : "crash"
  const what =
    error instanceof Finding ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
  if (tally.found.length < foundMax) tally.found.push({ kind, seed, what: what.slice(0, 1500) })
}

const runOne = async (target: Target, limits: Limits, ms: number): Promise<Tally> => {
  const tally: Tally = { target: target.name, inputs: 0, peakMb: 0, found: [] }
  const session: Session = await target.open()
  const end = performance.now() + ms
  const isLeft = () => performance.now() < end || tally.inputs < (limits.least ?? 0)
  let index = 0
  const turn = async () => {
    while (isLeft() && tally.inputs < limits.inputs && tally.found.length < foundMax) {
      const seed = seedOf(limits.seed, index++)
      try {
        tally.inputs += await session.one(new SeededRandom(seed))
        if (index % checkEvery === 0) await session.check()
      } catch (error) {
        note(tally, seed, error)
        tally.inputs++
      }
    }
  }
  try {
    await Promise.all(Array.from({ length: target.parallel }, turn))
    await session.check().catch((error: unknown) => note(tally, limits.seed, error))
    tally.peakMb = session.peakMb()
  } finally {
    await session.close()
  }
  return tally
}

export const fuzz = async (
  targets: ReadonlyArray<Target>,
  limits: Limits,
  tell: (tally: Tally) => void = () => undefined
): Promise<ReadonlyArray<Tally>> => {
  const tallies: Array<Tally> = []
  for (const target of targets) {
    const tally = await runOne(target, limits, limits.ms / targets.length)
    tell(tally)
    tallies.push(tally)
  }
  return tallies
}

export const lineOf = ({ found, inputs, peakMb, target }: Tally): string => {
  const count = (kind: Kind) => found.filter((each) => each.kind === kind).length
  return `${target.padEnd(8)} ${String(inputs).padStart(7)} inputs, ${count("crash")} crashed, ${count("hang")} hung, ${count("untyped")} untyped, at most ${peakMb.toFixed(0)} MB`
}
