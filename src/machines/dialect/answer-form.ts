/** How the answer at hand is to be read: what a worker tells before the first token, and what is stored with the job. */
import * as Schema from "effect/Schema"
import type { Conversation } from "../vocabulary/conversation.ts"
import { offeredTools } from "./conversation.ts"
import { contentOnly, Dialect } from "./dialect.ts"

/** Absent for an answer that is nothing but text. With it, the text of its tokens has control tokens written out. */
export const AnswerForm = Schema.Struct({
  dialect: Dialect,
  /** the end of the prompt: it may have opened something already */
  prompt: Schema.String
})
export type AnswerForm = typeof AnswerForm.Type

/** characters of a prompt's end that can matter */
export const promptTail = 200

/** Whether an answer to this may be more than text. */
export const hasForm = (conversation: Conversation, { content, head, reasoning }: Dialect): boolean =>
  reasoning !== null ||
  head !== undefined ||
  content.open !== undefined ||
  content.close !== undefined ||
  offeredTools(conversation).length > 0

/** An answer that somebody began is written on as it was begun, whatever was learned here of the model since. */
export interface Begun {
  readonly form?: AnswerForm
  readonly resume?: object
}

export const dialectOf = (conversation: Conversation, { form, resume }: Begun, learned: Dialect): Dialect => {
  if (form !== undefined) return form.dialect
  return resume !== undefined && hasForm(conversation, learned) ? contentOnly("its answer was begun as text") : learned
}
