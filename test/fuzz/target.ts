/** What a target of the fuzzer is, and what it finds. */
import type { SeededRandom } from "../../src/simulator/world/kernel/random.ts"

export type Kind = "crash" | "hang" | "untyped"

/** A fault: what was done, and what came of it. */
export class Finding extends Error {
  readonly kind: Kind
  constructor(kind: Kind, what: string) {
    super(what)
    this.kind = kind
  }
}

export interface Session {
  /** one input, or a few: how many; throws a Finding, or whatever else escapes the code under test (a crash) */
  readonly one: (random: SeededRandom) => Promise<number>
  /** throws a Finding if something that must live has died */
  readonly check: () => Promise<void>
  /** the most memory that what is tried has held, MB */
  readonly peakMb: () => number
  readonly close: () => Promise<void>
}

export interface Target {
  readonly name: string
  /** inputs that are under way together */
  readonly parallel: number
  readonly open: () => Promise<Session>
}

/** Fails with a hang after `ms`. */
export const within = async <A>(ms: number, what: () => string, work: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Finding("hang", `${what()}: nothing for ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

export const ownPeakMb = (): number => process.resourceUsage().maxRSS / 1000
