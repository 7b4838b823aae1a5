/** What `rbee doctor` says of one thing: how it is, what was seen, and the way out where it is not as it should be. */
import * as Schema from "effect/Schema"

export const Verdict = Schema.Literal("ok", "warn", "wrong")
export type Verdict = typeof Verdict.Type

export const Finding = Schema.Struct({
  /** what was looked at, in one word */
  check: Schema.String,
  /** `warn`: it works, and not as well as it could; `wrong`: something will fail */
  verdict: Verdict,
  seen: Schema.String,
  /** the way out */
  todo: Schema.optional(Schema.String)
})
export type Finding = typeof Finding.Type

/** What `rbee doctor --json` prints. */
export const Diagnosis = Schema.Struct({
  version: Schema.String,
  /** nothing is wrong */
  well: Schema.Boolean,
  findings: Schema.Array(Finding)
})
export type Diagnosis = typeof Diagnosis.Type

export const ok = (check: string, seen: string): Finding => ({ check, verdict: "ok", seen })
export const warn = (check: string, seen: string, todo: string): Finding => ({ check, verdict: "warn", seen, todo })
export const wrong = (check: string, seen: string, todo: string): Finding => ({ check, verdict: "wrong", seen, todo })

/** An error as far as a finding tells it. */
export interface Trouble {
  readonly what: string
  readonly todo: string
}

export const diagnosisOf = (version: string, findings: ReadonlyArray<Finding>): Diagnosis => ({
  version,
  well: findings.every(({ verdict }) => verdict !== "wrong"),
  findings
})
