/** What a restart of the queen's machine means for the jobs that were under way. */
import * as Effect from "effect/Effect"
import { QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { rbeeError, sentence } from "../../../machines/errors.ts"
import * as say from "../../../machines/narration.ts"
import { JobLogs } from "../log/job-log.ts"

const bootName = "boot"

const restarted = rbeeError("INTERNAL", "the queen's machine was restarted", "Run the command again", {
  cause: "machine_restarted"
})
/**
 * Jobs whose queen wrote no start down: her catalog was damaged since, by power that failed most likely, or by something
 * else before it. Also of a second queen after that, whose first one wrote nothing either (her disk was full).
 */
const forgotten = rbeeError("INTERNAL", "the queen's catalog was damaged", "Run the command again", {
  cause: "catalog_lost"
})

/**
 * A crash of her machine may have taken the newest part of the journal, epochs and tokens that readers have seen among
 * it: such jobs are not continued (docs/design.md#what-is-kept-where).
 */
export const endWhatARebootCut = (boot: string | undefined) =>
  Effect.gen(function* () {
    if (boot === undefined) return
    const { settings } = yield* QueenCatalog
    const known = yield* Effect.catchAll(settings.get(bootName), () => Effect.succeed(undefined))
    if (known?.value === boot) return
    const logs = yield* JobLogs
    const error = known === undefined ? forgotten : restarted
    for (const log of logs.unfinished()) {
      log.narrate(say.jobFailed({ code: error.code, message: sentence(error) }))
      log.end({ _tag: "Error", error })
      // those who ask for unfinished jobs next must not find it, and the next queen neither
      yield* Effect.catchAll(log.sync, () => logs.faulted)
    }
    yield* Effect.ignoreLogged(settings.put({ name: bootName, value: boot }))
  })
