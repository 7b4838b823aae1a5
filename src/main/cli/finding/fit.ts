/** `rbee models fit REPO`: what of a repository fits which device, with how much context, and how fast it will be. */
import * as Effect from "effect/Effect"
import { connect, startHive } from "../../../actors/keeper/lifecycle.ts"
import { makeRenderer } from "../../../actors/keeper/renderer.ts"
import { inspect } from "../../../layers/models/look.ts"
import { offerOf, type OfferedModel } from "../../../layers/models/hugging-face/offers.ts"
import { hubSettings } from "../../../layers/models/hugging-face/settings.ts"
import { fact } from "../../../machines/facts.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { ModelFacts } from "../../../machines/formats/gguf/gguf.ts"
import { parseModelRef, type ParsedRef } from "../../../machines/formats/model-ref.ts"
import { workerKinds } from "../../../machines/kinds/index.ts"
import { formatOf, kindFor } from "../../../machines/kinds/kind.ts"
import { fitting, roomsOf } from "../../../machines/policy/memory/devices-fit.ts"
import { expectedPace, pacesOf } from "../../../machines/policy/pace.ts"
import type { ModelRef } from "../../../machines/vocabulary/ids.ts"
import type { HiveView } from "../../../machines/vocabulary/hive.ts"
import type { ModelView } from "../../../machines/vocabulary/model.ts"
import { modelNamed } from "../asked-for.ts"
import type { Context } from "../spec.ts"
import { roomOf } from "../table.ts"
import { inWorld } from "../world.ts"
import { type FitRow, fitText } from "./fit-text.ts"
import type { Fits } from "./printed.ts"
import { ofHub } from "./search.ts"

export interface FitValues {
  readonly context: number | undefined
  readonly json: boolean
}

interface Offer {
  readonly models: ReadonlyArray<OfferedModel>
  readonly facts: ModelFacts
}

/** A model whose file is on this machine. */
const ofFile = (ref: string, file: string, bytes: number | undefined) =>
  Effect.map(inspect(file, ref, formatOf(workerKinds, file)), (facts): Offer => ({
    facts,
    models: [{ ref, quantization: facts.quantization, file, files: 1, bytes: bytes ?? facts.fileBytes }]
  }))

const ofHubOnly = (ref: Extract<ParsedRef, { readonly _tag: "Hub" }>) =>
  Effect.tryPromise({ try: (signal) => offerOf(hubSettings(process.env), ref, signal), catch: ofHub })

/** From the hub; where that cannot be asked, or the name is none of its, from what is on this machine. */
const offerFor = (ref: ModelRef, copies: ReadonlyArray<ModelView>, local: string): Effect.Effect<Offer, RbeeError> =>
  Effect.gen(function* () {
    const here = copies.find(({ hive, model_ref }) => model_ref === ref && hive === local)
    const onDisk = here === undefined ? undefined : ofFile(ref, here.file, here.bytes)
    const parsed = yield* parseModelRef(ref)
    if (parsed._tag === "File") return yield* ofFile(ref, parsed.path, undefined)
    if (parsed._tag === "Hub") {
      const offer = ofHubOnly(parsed)
      return yield* onDisk === undefined
        ? offer
        : Effect.catchIf(
            offer,
            (error) => fact(error, "unreachable") === true,
            () => onDisk
          )
    }
    if (onDisk !== undefined) return yield* onDisk
    return yield* rbeeError("MODEL_NOT_FOUND", `${ref} is not on this machine`, "See `rbee models ls`")
  })

const rowsOf = (
  { facts, models }: Offer,
  hives: ReadonlyArray<HiveView>,
  paces: ReturnType<typeof pacesOf>,
  { context }: FitValues,
  settings: Context["settings"]
): ReadonlyArray<FitRow> => {
  const { kvType, slots } = settings.worker
  return models.flatMap((model) => {
    const kind = kindFor(workerKinds, model.file)
    const own = { ...facts, fileBytes: model.bytes, quantization: model.quantization ?? facts.quantization }
    return hives.flatMap(({ devices, id: hive }) =>
      (devices === undefined ? [] : roomsOf(devices)).map((room): FitRow => {
        const pace = expectedPace(paces, { hive, device: room.device }, model.bytes)
        return {
          ...model,
          hive,
          device: room.device,
          name: room.name,
          ...fitting(kind, own, room, { context, slots, kvType }),
          ...(pace === undefined ? {} : { tokens_per_s: Number(pace.toPrecision(2)) })
        }
      })
    )
  })
}

export const fit = (name: string, values: FitValues, context: Context): Effect.Effect<number, RbeeError> =>
  inWorld(
    context,
    Effect.gen(function* () {
      const { id: local } = context.settings.hive
      const clock = yield* Effect.clock
      const renderer = makeRenderer(context.terminal, values.json ? "quiet" : "plain", () =>
        clock.unsafeCurrentTimeMillis()
      )
      const look = Effect.gen(function* () {
        yield* startHive(renderer, local, local)
        const api = yield* connect
        const [hives, copies, jobs] = yield* Effect.all([api.listHives({}), api.listModels({}), api.listJobs({})], {
          concurrency: "unbounded"
        })
        const offer = yield* offerFor(yield* modelNamed(name, copies, context.settings), copies, local)
        const sizes = new Map(copies.map(({ bytes, model_ref }): [string, number] => [model_ref, bytes]))
        const rows = rowsOf(offer, hives, pacesOf(jobs, sizes), values, context.settings)
        const unknown = hives.filter(({ devices }) => devices === undefined).map(({ id }) => id)
        const printed: Fits = rows
        const { stdout } = context.terminal
        stdout.write(values.json ? `${JSON.stringify(printed)}\n` : fitText(rows, unknown, roomOf(stdout)))
        return 0
      })
      return yield* Effect.raceFirst(look, context.terminal.interrupted)
    })
  )
