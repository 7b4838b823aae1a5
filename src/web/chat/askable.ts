/** The models that may be asked to chat, and names of one's own for them. */
import { call } from "../kit/call.ts"
import { fields, maybeText, objects, text } from "../kit/fields.ts"

export interface Askable {
  readonly name: string
  /** of a preset: the model that it stands for */
  readonly standsFor: string | undefined
}

export interface ModelList {
  readonly all: ReadonlyArray<Askable>
  readonly first: string | undefined
}

/** What gives vectors or ranks writes nothing. */
const chats = (purpose: unknown): boolean => purpose === undefined || purpose === "chat"

export const askableIn = (answer: unknown): ModelList => {
  const all = objects(fields(answer)["data"]).flatMap((model) =>
    chats(model["purpose"]) ? [{ name: text(model["id"]), standsFor: maybeText(model["stands_for"]) }] : []
  )
  return { all, first: all[0]?.name }
}

/** Throws `Refused`. */
export const loadModels = async (): Promise<ModelList> => askableIn(await call("GET", "/v1/models"))
