/** The supervisor keeps OTP's contract, and an actor interprets its chart, in virtual time. */
import { describe, it } from "@effect/vitest"
import { conformance } from "./checks/index.ts"
import { load, runCheck } from "./checks/core.ts"

const core = await load(new URL("../../../src/actors/core/", import.meta.url))

for (const [subject, checks] of Object.entries(conformance)) {
  describe(subject, () => {
    for (const check of checks) it.effect(check.name, () => runCheck(core, check), 5_000)
  })
}
