/** `rbee models …`: fetches, shows, keeps and removes the models of the cluster. */
import * as Effect from "effect/Effect"
import { connect, findAnyQueen, startHive } from "../../../actors/keeper/lifecycle.ts"
import { makeRenderer } from "../../../actors/keeper/renderer.ts"
import { follow, type Listener } from "../../../actors/queen/log/follow.ts"
import type { OwnApi } from "../../../protocol/queen/own.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { megabytes } from "../../../machines/narration.ts"
import { askedFor, modelNamed } from "../asked-for.ts"
import { notRunning } from "../not-running.ts"
import type { Context } from "../spec.ts"
import { modelDetails } from "../views.ts"
import { inWorld } from "../world.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

const write = (context: Context, text: string): number => {
  context.terminal.stdout.write(`${text}\n`)
  return 0
}

const withQueen = (
  context: Context,
  json: boolean,
  use: (api: OwnApi) => Effect.Effect<number, RbeeError>
): Effect.Effect<number, RbeeError> =>
  inWorld(
    context,
    Effect.gen(function* () {
      if ((yield* findAnyQueen) === undefined) return notRunning(context, json)
      return yield* use(yield* connect)
    })
  )

/** Wakes what it needs, as `infer` does, and stays until the model is there. */
export const pull = (
  reference: string,
  flags: { readonly hive: HiveId | undefined; readonly json: boolean },
  context: Context
): Effect.Effect<number, RbeeError> =>
  inWorld(
    context,
    Effect.gen(function* () {
      const asked = yield* askedFor(reference)
      const local = context.settings.hive.id
      const hive = flags.hive ?? local
      const clock = yield* Effect.clock
      const renderer = makeRenderer(context.terminal, flags.json ? "json" : "plain", () =>
        clock.unsafeCurrentTimeMillis()
      )
      const bring = Effect.gen(function* () {
        yield* startHive(renderer, hive, local)
        const api = yield* connect
        const { model_ref: ref, provision_id } = yield* api.pullModel({ model_ref: asked, hive })
        const feed = yield* api.pullEvents({ hive, id: provision_id })
        const listener: Listener = {
          narrate: (line) => renderer.say(line),
          progress: (data) => renderer.note({ event: "progress", data: { ...data } })
        }
        yield* follow(feed, listener, "the download")
        const copy = (yield* api.listModels({})).find((each) => each.model_ref === ref && each.hive === hive)
        renderer.close()
        return write(
          context,
          flags.json
            ? JSON.stringify({ event: "ready", ...copy })
            : `model ${ref} is on hive ${hive}${copy === undefined ? "" : ` (${megabytes(copy.bytes)} MB, ${copy.file})`}`
        )
      })
      const code = yield* Effect.raceFirst(bring, context.terminal.interrupted).pipe(
        Effect.ensuring(Effect.sync(() => renderer.close()))
      )
      // what came so far is kept by the hive, and the next pull goes on from there
      if (code !== 0) renderer.cancelled()
      return code
    })
  )

export const show = (reference: string, json: boolean, context: Context): Effect.Effect<number, RbeeError> =>
  withQueen(context, json, (api) =>
    Effect.gen(function* () {
      const all = yield* api.listModels({})
      const ref = yield* modelNamed(reference, all, context.settings)
      if (!all.some(({ model_ref }) => model_ref === ref))
        return yield* rbeeError(
          "MODEL_NOT_FOUND",
          `no hive that runs has model ${ref}`,
          `Fetch it: \`rbee models pull ${ref}\``
        )
      const copies = yield* api.showModel({ ref })
      context.terminal.stdout.write(json ? `${JSON.stringify(copies)}\n` : copies.map(modelDetails).join("\n"))
      return 0
    })
  )

export const remove = (
  reference: string,
  hive: HiveId | undefined,
  context: Context
): Effect.Effect<number, RbeeError> =>
  withQueen(context, false, (api) =>
    Effect.map(
      Effect.flatMap(askedFor(reference), (ref) => api.removeModel({ ref, ...named(hive) })),
      () => write(context, `model ${reference} removed`)
    )
  )

export const pin = (
  reference: string,
  pinned: boolean,
  hive: HiveId | undefined,
  context: Context
): Effect.Effect<number, RbeeError> =>
  withQueen(context, false, (api) =>
    Effect.map(
      Effect.flatMap(askedFor(reference), (ref) => api.pinModel({ ref, pinned, ...named(hive) })),
      () => write(context, `model ${reference} ${pinned ? "pinned" : "unpinned"}`)
    )
  )

export const retry = (
  reference: string,
  hive: HiveId | undefined,
  context: Context
): Effect.Effect<number, RbeeError> =>
  withQueen(context, false, (api) =>
    Effect.map(
      Effect.flatMap(askedFor(reference), (ref) => api.retryModel({ ref, ...named(hive) })),
      () => write(context, `model ${reference} will be tried again on every device`)
    )
  )

const named = (hive: HiveId | undefined) => (hive === undefined ? {} : { hive })

export const gc = (
  flags: {
    readonly max: number | undefined
    readonly lastCopies: boolean
    readonly dryRun: boolean
    readonly json: boolean
  },
  context: Context
): Effect.Effect<number, RbeeError> => {
  const { dryRun, json, lastCopies, max } = flags
  if (max === undefined) {
    const todo = "Say to how many MB of models each hive may come down, for example --max-mb 50000."
    return Effect.fail(rbeeError("INVALID_REQUEST", "--max-mb is missing", todo, { usage: true }))
  }
  return withQueen(context, json, (api) =>
    Effect.map(api.collectModels({ max_mb: max, last_copies: lastCopies, dry_run: dryRun }), (answer) => {
      if (json) return write(context, JSON.stringify(answer))
      const verb = dryRun ? "would remove" : "removed"
      const lines = [
        ...answer.removed.map((one) => `${verb} ${one.model_ref} from hive ${one.hive} (${megabytes(one.bytes)} MB)`),
        ...answer.kept.map(
          (one) => `kept ${one.model_ref} on hive ${one.hive} (${megabytes(one.bytes)} MB): ${one.because}`
        )
      ]
      return write(context, lines.length === 0 ? "no models" : lines.join("\n"))
    })
  )
}
