/** OpenAI's embeddings. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { AskedModel } from "../common.ts"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { normalised } from "../../formats/vectors.ts"
import { type JobRequest, textsMax } from "../job.ts"
import { type FieldLists, sortBy } from "./fields.ts"
import { maybe } from "./messages.ts"

/** From the types of OpenAI's client, and what llama.cpp's and vLLM's servers have beside them. */
export const embeddingFields: FieldLists = {
  served: ["model", "input", "encoding_format", "dimensions", "embd_normalize"],
  harmless: ["user"],
  unserved: {
    // llama.cpp, in place of `input`
    content: [],
    // vLLM
    add_special_tokens: [true],
    additional_data: [],
    chat_template: [],
    messages: [],
    normalize: [true],
    priority: [0],
    truncate_prompt_tokens: [],
    use_activation: [true]
  }
}

export const sortEmbedding = sortBy(embeddingFields)

const Tokens = Schema.Array(Schema.Int.pipe(Schema.nonNegative()))

export const EmbeddingRequest = Schema.Struct({
  model: AskedModel,
  /** a text or several, or the ids of their tokens */
  input: Schema.Union(Schema.String, Tokens, Schema.Array(Schema.Union(Schema.String, Tokens))),
  encoding_format: maybe(Schema.Literal("float", "base64")),
  /** elements of a vector, of which the first are given, made one long again */
  dimensions: maybe(Schema.Int.pipe(Schema.positive())),
  /** by which norm they are made one long: 2 is Euclid's, -1 leaves them as they are */
  embd_normalize: maybe(Schema.Literal(-1, 2))
})
export type EmbeddingRequest = typeof EmbeddingRequest.Type

type Inputs = NonNullable<JobRequest["embed"]>
type Invalid = RbeeError<"INVALID_REQUEST">

const isText = (input: EmbeddingRequest["input"]): input is string => typeof input === "string"
const isOne = (input: ReadonlyArray<unknown>): input is ReadonlyArray<number> =>
  input.length > 0 && input.every((one) => typeof one === "number")
const isMany = (input: ReadonlyArray<unknown>): input is Inputs => !isOne(input)

/** What is to be measured, one for each vector. */
export const inputsOf = ({ input }: EmbeddingRequest): Either.Either<Inputs, Invalid> => {
  const inputs: Inputs = isText(input) ? [input] : isOne(input) ? [input] : isMany(input) ? input : []
  const invalid = (what: string, more: object = {}) =>
    Either.left(rbeeError("INVALID_REQUEST", what, "", { field: "input", ...more }))
  if (inputs.length === 0) return invalid("input is empty")
  if (inputs.some((one) => typeof one !== "string" && one.length === 0)) return invalid("a text of input has no tokens")
  return inputs.length > textsMax
    ? invalid(`input has ${inputs.length} texts, over ${textsMax}`, { max: textsMax })
    : Either.right(inputs)
}

/** As it is wanted of a vector that the model gave. */
export const shaped = (
  vector: Float32Array,
  { dimensions = vector.length, embd_normalize = 2 }: Pick<EmbeddingRequest, "dimensions" | "embd_normalize">
): Either.Either<Float32Array, Invalid> => {
  if (dimensions > vector.length)
    return Either.left(
      rbeeError(
        "INVALID_REQUEST",
        `the model's vectors have ${vector.length} dimensions, fewer than ${dimensions}`,
        "",
        {
          field: "dimensions",
          max: vector.length
        }
      )
    )
  const cut = vector.subarray(0, dimensions)
  return Either.right(embd_normalize === -1 ? cut : normalised(cut))
}

/** Of what is read and not answered. */
export const ReadUsage = Schema.Struct({ prompt_tokens: Schema.Number, total_tokens: Schema.Number })
export const readUsage = (tokens: number): typeof ReadUsage.Type => ({ prompt_tokens: tokens, total_tokens: tokens })

export const EmbeddingList = Schema.Struct({
  object: Schema.Literal("list"),
  model: Schema.String,
  data: Schema.Array(
    Schema.Struct({
      object: Schema.Literal("embedding"),
      index: Schema.Number,
      /** numbers, or the base64 of 32-bit floats */
      embedding: Schema.Union(Schema.Array(Schema.Number), Schema.String)
    })
  ),
  usage: ReadUsage
})
export type EmbeddingList = typeof EmbeddingList.Type
