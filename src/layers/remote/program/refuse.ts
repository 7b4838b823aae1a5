import type { Failing, ofRemoteMachine } from "../../../protocol/failures.ts"
import type { Refusal } from "../questions.ts"

/** An expected failure: it is answered, not thrown at the reader of stderr. */
export class Refused extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.what)
    this.refusal = refusal
  }
}

/** Only with what those who ask declare: to them any other code is INTERNAL. */
export const refuse = (code: Failing<typeof ofRemoteMachine>["code"], what: string, todo: string): never => {
  throw new Refused({ code, what, todo })
}
