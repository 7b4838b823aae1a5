/** Calls of llama.cpp's own server that OpenAI has not. */
import * as Schema from "effect/Schema"
import { anySeed, samplingDefaults } from "../job.ts"
import { type TextAnswer, TextQuestion } from "../model.ts"
import { type FieldLists, sortBy } from "./fields.ts"
import { maybe } from "./messages.ts"

/** absent: the one that is loaded, or the only one there is */
const model = maybe(Schema.String.pipe(Schema.maxLength(512)))
const [tokenizing, detokenizing] = TextQuestion.members
const { content } = tokenizing.fields

/** From the documentation of llama.cpp's server; those of vLLM's call of the same name are none of it. */
export const tokenizeFields: FieldLists = {
  served: ["model", "content", "add_special", "parse_special", "with_pieces"],
  harmless: [],
  unserved: {
    add_generation_prompt: [],
    add_special_tokens: [true],
    chat_template: [],
    chat_template_kwargs: [{}],
    continue_final_message: [false],
    messages: [],
    mm_processor_kwargs: [{}],
    prompt: [],
    return_token_strs: [false],
    tools: [[]]
  }
}
export const detokenizeFields: FieldLists = { served: ["model", "tokens"], harmless: [], unserved: {} }

export const sortTokenize = sortBy(tokenizeFields)
export const sortDetokenize = sortBy(detokenizeFields)

export const TokenizeRequest = Schema.Struct({
  model,
  content,
  add_special: maybe(Schema.Boolean),
  parse_special: maybe(Schema.Boolean),
  with_pieces: maybe(Schema.Boolean)
})
export const Tokenized = Schema.Struct({
  tokens: Schema.Array(
    Schema.Union(
      Schema.Int,
      Schema.Struct({
        id: Schema.Int,
        /** its bytes, where they are no whole characters */
        piece: Schema.Union(Schema.String, Schema.Array(Schema.Int))
      })
    )
  )
})
export type Tokenized = typeof Tokenized.Type

export const DetokenizeRequest = Schema.Struct({ model, tokens: detokenizing.fields.tokens })
export const Detokenized = Schema.Struct({ content: Schema.String })

/** As far as it is known here: what is not served has no value. */
export const PropsAnswer = Schema.Struct({
  default_generation_settings: Schema.Struct({
    /** tokens a slot: of the workers that are loaded, or that one would have */
    n_ctx: Schema.Int,
    params: Schema.Record({ key: Schema.String, value: Schema.Unknown })
  }),
  /** of the workers that are loaded */
  total_slots: Schema.Int,
  model_alias: Schema.String,
  /** the file's name, without where it lies */
  model_path: Schema.String,
  modalities: Schema.Struct({ vision: Schema.Boolean, audio: Schema.Boolean }),
  chat_template: Schema.String,
  bos_token: Schema.String,
  eos_token: Schema.String,
  build_info: Schema.String
})
export type PropsAnswer = typeof PropsAnswer.Type

/** How an answer is drawn where a request says nothing, in llama.cpp's words. */
export const defaultParams = {
  ...samplingDefaults,
  seed: anySeed,
  n_predict: -1,
  max_tokens: -1,
  ignore_eos: false,
  stop: [],
  stream: false
} as const

/** The tokens with their pieces, where they were asked for. */
export const tokenizedOf = ({ pieces, tokens = [] }: TextAnswer): Tokenized => ({
  tokens: pieces === undefined ? tokens : tokens.map((id, at) => ({ id, piece: pieces[at] ?? "" }))
})
