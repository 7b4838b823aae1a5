/**
 * The simulator's kernel: it owns time, chance and the order in which ready work runs. Everything happens inside
 * `run`, on this thread, without the event loop; one seed fixes all of it. Work that is ready at the same moment runs
 * in a seeded order, because a race that a fixed order hides is found by shuffling (docs/decisions.md#the-simulator).
 */
import { Hash } from "./hash.ts"
import { SeededRandom } from "./random.ts"
import { TimerHeap, type Timer } from "./timers.ts"
import { armed } from "./tripwires.ts"

export interface Work {
  readonly run: () => void
  /** whose work it is: that of one key (a fiber, a connection) is never reordered against itself */
  readonly key: unknown
}

/** What ended a run before its condition came true. */
export type Stop =
  /** no work and no timer is left, and the condition is still false: a wait that nobody ends */
  | { readonly _tag: "Idle" }
  /** virtual time passed the limit */
  | { readonly _tag: "TimeLimit" }
  /** a great many steps without the clock moving */
  | { readonly _tag: "Livelock" }
  /** real time, chance or an asynchronous resource was reached for; `site` tells from where */
  | { readonly _tag: "Leak"; readonly what: string; readonly site: string }

export interface KernelOptions {
  readonly seed: number
  /** gets every line of the trace */
  readonly trace?: ((line: string) => void) | undefined
}

/** the wall clock at virtual time 0, milliseconds since 1970 */
export const epochMs = 1_700_000_000_000
const stepsPerInstant = 500_000

export class Kernel {
  readonly random: SeededRandom
  /** virtual milliseconds since the start, with fractions */
  now = 0
  steps = 0
  private readonly labels = new SeededRandom(1)
  private readonly hash = new Hash()
  private readonly ready: Array<Work> = []
  private readonly timers = new TimerHeap()
  private readonly trace: ((line: string) => void) | undefined
  private leak: Extract<Stop, { readonly _tag: "Leak" }> | undefined
  private failure: unknown
  private failed = false

  constructor(options: KernelOptions) {
    this.random = new SeededRandom(options.seed)
    this.trace = options.trace
  }

  /** milliseconds since 1970, whole: what a wall clock says */
  wallMs(): number {
    return epochMs + Math.floor(this.now)
  }

  get digest(): string {
    return this.hash.digest()
  }

  /** One line of the run's event log. It must not depend on anything but the seed. */
  note(line: string): void {
    this.hash.add(line)
    this.trace?.(`${(this.now / 1000).toFixed(6)} ${line}`)
  }

  /** For people only: does not go into the hash. */
  remark(line: () => string): void {
    this.trace?.(`${(this.now / 1000).toFixed(6)} # ${line()}`)
  }

  get isTraced(): boolean {
    return this.trace !== undefined
  }

  schedule(work: Work): void {
    this.ready.push(work)
  }

  /** Runs `fire` in `ms` virtual milliseconds; among timers of one instant the seed decides. */
  at(ms: number, fire: () => void): Timer {
    return this.timers.add(this.now + Math.max(0, ms), this.random.next(), fire)
  }

  /** Ends the run with this error as soon as the current step is over: an invariant is broken. */
  fail(error: unknown): void {
    if (this.failed) return
    this.failed = true
    this.failure = error
  }

  /**
   * Runs until `done`, checked after every step and timer. Returns why it ended early, or undefined. Throws what
   * `fail` was given.
   */
  run(done: () => boolean, untilMs: number): Stop | undefined {
    const disarm = armed({
      wallMs: () => this.wallMs(),
      monotonicMs: () => this.now,
      random: () => this.labels.next(),
      leaked: (what, site) => {
        this.leak ??= { _tag: "Leak", what, site }
      }
    })
    try {
      return this.pump(done, untilMs)
    } finally {
      disarm()
    }
  }

  private pump(done: () => boolean, untilMs: number): Stop | undefined {
    let sinceAdvance = 0
    for (;;) {
      if (this.leak !== undefined) return this.leak
      if (this.failed) throw this.failure
      if (done()) return undefined
      const work = this.take()
      if (work !== undefined) {
        this.steps++
        if (++sinceAdvance > stepsPerInstant) return { _tag: "Livelock" }
        work.run()
        continue
      }
      const timer = this.timers.pop()
      if (timer === undefined) return { _tag: "Idle" }
      if (timer.at > untilMs) {
        this.timers.restore(timer)
        this.now = Math.max(this.now, untilMs)
        return { _tag: "TimeLimit" }
      }
      if (timer.at > this.now) sinceAdvance = 0
      this.now = timer.at
      timer.fire()
    }
  }

  private take(): Work | undefined {
    const { ready } = this
    if (ready.length <= 1) return ready.pop()
    let chosen = Math.floor(this.random.next() * ready.length)
    const key = ready[chosen]?.key
    for (let i = 0; i < chosen; i++) if (ready[i]?.key === key) chosen = i
    const [work] = ready.splice(chosen, 1)
    return work
  }
}
