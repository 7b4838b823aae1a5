/** A dialect learned in a short-lived process: a chat template is a stranger's program, which may not end. */
import { contentOnly, type Dialect } from "../../../../machines/dialect/dialect.ts"
import type { RoundTrip } from "../../../../machines/dialect/trial/trial.ts"
import type { DialectQuestion, Vocabulary } from "./tokenize.ts"
import { type Read, TokenizerProcess } from "./tokenizer-process.ts"

/** milliseconds; templates that people use take some 100 */
const learnMs = 10_000
/** with generated calls that are tried */
const tryMs = 20_000

export interface Learned {
  readonly dialect: Dialect
  readonly trip: RoundTrip
  /** why it could not even be begun: the template is none */
  readonly broken?: string
}

export const untried: RoundTrip = { tried: 0, exact: 0, kinds: {}, impossible: [] }

const learned = (read: Read): Learned => {
  if (read.t === "dialect") return read
  const [reason = ""] = "reason" in read ? read.reason.split("\n", 1) : [read.t]
  const dialect = contentOnly(`its chat template could not be learned: ${reason}`)
  return { dialect, trip: untried, ...(read.t === "broken" ? { broken: reason } : {}) }
}

/** What is learned, however it went; and what gives up waiting for it, after which `done` is not called. */
export const learnIn = (
  vocabulary: Vocabulary,
  question: Omit<DialectQuestion, "ask">,
  done: (found: Learned) => void
): (() => void) => {
  const process = new TokenizerProcess(vocabulary)
  process.ask({ ask: "dialect", ...question }, question.tries === 0 ? learnMs : tryMs, (read) => {
    process.close()
    done(learned(read))
  })
  return () => process.close()
}
