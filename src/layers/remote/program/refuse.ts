import type { Refusal } from "../questions.ts"

/** An expected failure: it is answered, not thrown at the reader of stderr. */
export class Refused extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.what)
    this.refusal = refusal
  }
}

export const refuse = (code: string, what: string, todo: string): never => {
  throw new Refused({ code, what, todo })
}
