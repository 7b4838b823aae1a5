/**
 * Questions to a helper of ours, a thread or a process, one after the other. It is started by the first question, ended
 * when it has been idle for long, and when it does not answer within its time.
 */

/** an idle helper gives its memory back after this long, milliseconds */
const idleMs = 60_000

/** One that runs. */
export interface Helper<Question> {
  readonly put: (question: Question) => void
  /** whether the program lives on for it */
  readonly keepAlive: (alive: boolean) => void
  readonly end: () => void
}

/** What a helper has to say. */
export interface Told<Answer> {
  readonly answer: (answer: Answer) => void
  /** it is gone, or of no more use: this is the answer to the question that it has */
  readonly gone: (answer: Answer) => void
}

export interface HelperKind<Question, Answer> {
  /** undefined: its program is missing */
  readonly start: (told: Told<Answer>) => Helper<Question> | undefined
  readonly missing: (question: Question) => Answer
  readonly late: (withinMs: number) => Answer
}

interface Waiting<Question, Answer> {
  readonly question: Question
  readonly withinMs: number
  readonly done: (answer: Answer) => void
}

export class OneAtATime<Question, Answer> {
  private readonly kind: HelperKind<Question, Answer>
  private readonly waiting: Array<Waiting<Question, Answer>> = []
  private helper: Helper<Question> | undefined
  private timer: NodeJS.Timeout | undefined

  constructor(kind: HelperKind<Question, Answer>) {
    this.kind = kind
  }

  /** The returned function takes the question back; `done` is not called then. */
  ask(question: Question, withinMs: number, done: (answer: Answer) => void): () => void {
    const one = { question, withinMs, done }
    if (this.waiting.push(one) === 1) this.next()
    return () => {
      const at = this.waiting.indexOf(one)
      if (at > 0) this.waiting.splice(at, 1)
      else if (at === 0) {
        this.waiting.shift()
        this.stop()
        this.next()
      }
    }
  }

  close(): void {
    this.waiting.length = 0
    this.stop()
  }

  private next(): void {
    const [one] = this.waiting
    if (one === undefined) {
      // an idle one keeps nobody alive
      this.helper?.keepAlive(false)
      return this.alarm(idleMs, () => this.stop())
    }
    const helper = (this.helper ??= this.start())
    if (helper === undefined) return this.end(this.kind.missing(one.question))
    this.alarm(one.withinMs, () => this.gone(this.kind.late(one.withinMs)))
    helper.keepAlive(true)
    helper.put(one.question)
  }

  private start(): Helper<Question> | undefined {
    // who was stopped may still say something
    const ifCurrent = (heard: (answer: Answer) => void) => (answer: Answer) => {
      if (helper !== undefined && this.helper === helper) heard(answer)
    }
    const helper = this.kind.start({
      answer: ifCurrent((answer) => this.end(answer)),
      gone: ifCurrent((answer) => this.gone(answer))
    })
    return helper
  }

  private gone(answer: Answer): void {
    this.stop()
    if (this.waiting.length > 0) this.end(answer)
  }

  private end(answer: Answer): void {
    const one = this.waiting.shift()
    this.next()
    one?.done(answer)
  }

  private alarm(ms: number, ring: () => void): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(ring, ms)
    this.timer.unref()
  }

  private stop(): void {
    clearTimeout(this.timer)
    const { helper } = this
    this.helper = undefined
    helper?.end()
  }
}
