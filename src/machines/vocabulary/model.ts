/** Models in a hive's catalog, and the progress of getting one. */
import * as Schema from "effect/Schema"
import { Dialect } from "../dialect/dialect.ts"
import { Count } from "./common.ts"
import { HiveId, DeviceId, ModelRef } from "./ids.ts"

/** What a model is for; one that gives vectors or ranks writes nothing. */
export const Purpose = Schema.Literal("chat", "embeddings", "reranking")
export type Purpose = typeof Purpose.Type

export const ModelView = Schema.Struct({
  /** the canonical reference, for example `minillama` or `file:/models/a.gguf` */
  model_ref: ModelRef,
  hive: Schema.optional(HiveId),
  /** other references of the same file */
  names: Schema.optional(Schema.Array(ModelRef)),
  file: Schema.String,
  bytes: Count,
  sha256: Schema.optional(Schema.String),
  architecture: Schema.optional(Schema.String),
  parameters: Schema.optional(Count),
  /** trained context, tokens */
  context: Schema.optional(Count),
  /** bytes of text that one token stands for at most */
  token_bytes: Schema.optional(Count),
  quantization: Schema.optional(Schema.String),
  /** what it is for */
  purpose: Schema.optional(Purpose),
  /** it says how a chat is put to it */
  template: Schema.optional(Schema.Boolean),
  /** how it writes, by its chat template; told where it is asked for */
  dialect: Schema.optional(Dialect),
  /** milliseconds since 1970 */
  added_at: Schema.optional(Schema.Number),
  last_used_at: Schema.optional(Schema.Number),
  /** why this file, where the reference left a choice */
  why: Schema.optional(Schema.String),
  /** never removed to make room: `models pin`, or a worker that is kept warm */
  pinned: Schema.Boolean,
  /** rbee brought the file: removing the model deletes it */
  owned: Schema.Boolean,
  /** a worker has it loaded */
  in_use: Schema.Boolean,
  /** devices on which it is not tried any more, because its workers died of it: `models retry` */
  quarantined: Schema.optional(
    Schema.Array(
      Schema.Struct({
        device: DeviceId,
        /** version of the runtime that could not load it */
        engine: Schema.String,
        reason: Schema.String,
        last_words: Schema.String,
        /** milliseconds since 1970 */
        since: Schema.Number
      })
    )
  )
})
export type ModelView = typeof ModelView.Type

/** A token of a vocabulary, by its number. */
const TokenId = Schema.Int.pipe(Schema.between(0, 999_999_999))
/** What a model's vocabulary and chat template are asked, which needs none of its weights. */
export const TextQuestion = Schema.Union(
  Schema.Struct({
    ask: Schema.Literal("tokenize"),
    /** a text, or texts and tokens by turns */
    content: Schema.Union(Schema.String, Schema.Array(Schema.Union(Schema.String, TokenId))),
    /** with the tokens that a prompt begins with */
    add_special: Schema.optional(Schema.Boolean),
    /** what control tokens are called stands for them; absent: it does */
    parse_special: Schema.optional(Schema.Boolean),
    with_pieces: Schema.optional(Schema.Boolean)
  }),
  Schema.Struct({ ask: Schema.Literal("detokenize"), tokens: Schema.Array(TokenId) }),
  Schema.Struct({ ask: Schema.Literal("about") })
)
export type TextQuestion = typeof TextQuestion.Type

export const TextAnswer = Schema.Struct({
  tokens: Schema.optional(Schema.Array(Schema.Int)),
  /** of each token its text, or its bytes where they are no whole characters */
  pieces: Schema.optional(Schema.Array(Schema.Union(Schema.String, Schema.Array(Schema.Int)))),
  content: Schema.optional(Schema.String),
  about: Schema.optional(
    Schema.Struct({
      /** as the vocabulary spells them; "" where it has none */
      bos_token: Schema.String,
      eos_token: Schema.String,
      /** absent: the file has none */
      chat_template: Schema.optional(Schema.String)
    })
  )
})
export type TextAnswer = typeof TextAnswer.Type

/** What `models gc` did, or would do. */
export const GcAnswer = Schema.Struct({
  removed: Schema.Array(Schema.Struct({ model_ref: ModelRef, hive: HiveId, bytes: Count })),
  kept: Schema.Array(Schema.Struct({ model_ref: ModelRef, hive: HiveId, bytes: Count, because: Schema.String }))
})
export type GcAnswer = typeof GcAnswer.Type

/** Absolute, on the hive's machine. */
const FolderPath = Schema.String.pipe(Schema.pattern(/^\//), Schema.maxLength(4096))

export const ScanRequest = Schema.Struct({
  /** besides those that are known */
  folders: Schema.optional(Schema.Array(FolderPath).pipe(Schema.maxItems(64)))
})

/** Whose folder it is; one that was named is a folder. */
export const FolderKind = Schema.Literal("huggingface", "ollama", "lmstudio", "llamacpp", "folder")
export type FolderKind = typeof FolderKind.Type

export const ScanAnswer = Schema.Struct({
  hive: HiveId,
  /** those that are there, and those that were named */
  folders: Schema.Array(
    Schema.Struct({
      path: Schema.String,
      kind: FolderKind,
      /** files and names in it that are models */
      models: Count,
      /** why it could not be looked at */
      problem: Schema.optional(Schema.String)
    })
  ),
  /** each once, however many names and files it has */
  models: Schema.Array(
    Schema.Struct({
      ...ModelView.fields,
      /** other files with the same contents, and other paths of the same file */
      copies: Schema.Array(Schema.String),
      /** it was not known before */
      is_new: Schema.Boolean,
      /** what its owner would do with it that is not done here */
      remark: Schema.optional(Schema.String)
    })
  ),
  /** what is no model, or not yet, or none that can be used */
  skipped: Schema.Array(Schema.Struct({ name: Schema.String, reason: Schema.String }))
})
export type ScanAnswer = typeof ScanAnswer.Type

/** `progress` events; `rate` is bytes a second. They carry no id and may be lost. */
export const ProgressEvent = Schema.Struct({
  stage: Schema.Literal("download", "install", "load"),
  received: Schema.Number,
  total: Schema.optional(Schema.Number),
  rate: Schema.optional(Schema.Number)
})
export type ProgressEvent = typeof ProgressEvent.Type

/** An entry that is to be kept loaded. */
export const KeptModel = Schema.Struct({
  name: Schema.String,
  /** absent: what it names is no model */
  model_ref: Schema.optional(ModelRef),
  state: Schema.Literal("loaded", "loading", "waiting"),
  /** it is not loaded */
  why: Schema.optional(Schema.String)
})
export type KeptModel = typeof KeptModel.Type
