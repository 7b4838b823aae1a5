/** Models under names of the user's own (machines/entries): what they stand for, and what they add to a request. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { namesAmong } from "../../../machines/entries/among.ts"
import { type Entries, entryNamed, isSameName, unaliased } from "../../../machines/entries/entries.ts"
import { filled } from "../../../machines/entries/fill.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { JobRequest } from "../../../machines/vocabulary/job.ts"
import type { Copy } from "../../../machines/policy/model-gc.ts"
import type { Known } from "../../../machines/vocabulary/ollama/models.ts"
import { CurrentQueen } from "../identity.ts"

type NoModel = RbeeError<"INVALID_REQUEST">

/** names that an error tells */
const fewNames = 8

/** `names` that can be asked for */
const noModel = (names: ReadonlyArray<string> = []): NoModel => {
  const some = names.slice(0, fewNames)
  return rbeeError(
    "INVALID_REQUEST",
    "no model is named, and there is no default_model",
    `${some.length === 0 ? "" : `Name one: ${some.join(", ")}${names.length > some.length ? ", …" : ""}. `}GET /v1/models lists those that are here; \`rbee models set NAME --default\` sets a default`,
    { field: "model" }
  )
}

/** No name: the default. */
const orDefault = ({ defaultModel }: Entries, name: string): Either.Either<string, NoModel> =>
  name !== "" ? Either.right(name) : Either.fromNullable(defaultModel, () => noModel())

/** By what the model is found that is called so, or that is the default. */
export const behind = (name: string): Effect.Effect<string, NoModel, CurrentQueen> =>
  Effect.flatMap(CurrentQueen, ({ entries }) =>
    Effect.flatMap(entries, (now) => Either.map(orDefault(now, name), (asked) => unaliased(now, asked)))
  )

/** The request with what an entry adds to it; its model by what it is found. */
export const meant = (request: JobRequest): Effect.Effect<JobRequest, NoModel, CurrentQueen> =>
  Effect.flatMap(CurrentQueen, ({ entries }) =>
    Effect.flatMap(entries, (now) =>
      Either.map(orDefault(now, request.model), (asked) => ({
        ...filled(entryNamed(now, asked), request),
        model: unaliased(now, asked)
      }))
    )
  )

type Body = Readonly<Record<string, unknown>>

/** Clients' calls that ask a model: one that is not named is the default, which is told to the client as well. */
export const modelless =
  (entries: Effect.Effect<Entries>, names: Effect.Effect<ReadonlyArray<string>>) =>
  <A, E>(call: (body: Body) => Effect.Effect<A, E>) =>
  (body: Body): Effect.Effect<A, E | NoModel> => {
    const { model = null } = body
    if (model !== null && model !== "") return call(body)
    return Effect.flatMap(entries, ({ defaultModel }): Effect.Effect<A, E | NoModel> =>
      defaultModel === undefined ? Effect.flatMap(names, (all) => noModel(all)) : call({ ...body, model: defaultModel })
    )
  }

/** As `askable` has those that they stand for. */
export const askableEntries = <M extends { readonly id: string; readonly context?: number | undefined }>(
  entries: Entries,
  copies: ReadonlyArray<Copy>,
  models: ReadonlyArray<M>
) =>
  namesAmong(entries, copies).map(({ entry, name, ref }) => {
    const { context, ...model } = models.find(({ id }) => id === ref) ?? { context: undefined }
    return { ...model, id: name, context: entry.context ?? context, standsFor: ref }
  })

/** Clients that name the first one that they are told of get what runs where none is named. */
export const defaultFirst = <M extends { readonly id: string }>(
  { defaultModel }: Pick<Entries, "defaultModel">,
  models: ReadonlyArray<M>
): ReadonlyArray<M> => {
  const isDefault = ({ id }: M) => defaultModel !== undefined && isSameName(id, defaultModel)
  return [...models.filter(isDefault), ...models.filter((one) => !isDefault(one))]
}

/** As Ollama's clients are told of them. */
export const ollamaEntries = (
  entries: Entries,
  copies: ReadonlyArray<Copy>,
  models: ReadonlyArray<Known>
): ReadonlyArray<Known> =>
  namesAmong(entries, copies).map(({ entry, name, ref }) => ({
    ...(models.find(({ model_ref }) => model_ref === ref) ?? { model_ref: ref }),
    name,
    entry
  }))
