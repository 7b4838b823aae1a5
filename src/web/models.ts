/** The models that may be asked, by the name that is shorter where there are two. */
import { isObject } from "../machines/formats/json/is-object.ts"
import { call } from "./kit/call.ts"

export interface ModelList {
  readonly names: ReadonlyArray<string>
  readonly first: string | undefined
}

/** Throws `Refused`. */
export const loadModels = async (): Promise<ModelList> => {
  const answer = await call("GET", "/v1/models")
  const data = isObject(answer) && Array.isArray(answer["data"]) ? answer["data"] : []
  const names = data.flatMap((model) => (isObject(model) && typeof model["id"] === "string" ? [model["id"]] : []))
  return { names, first: names[0] }
}
