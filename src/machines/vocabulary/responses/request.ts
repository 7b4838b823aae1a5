/** A response's request, and the job that it asks for. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../formats/json/decode.ts"
import { AskedModel } from "../common.ts"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { isObject } from "../../formats/json/is-object.ts"
import type { ChatMessage } from "../conversation.ts"
import { type JobRequest, maxTokensMax, samplingFields, topLogprobsMax } from "../job.ts"
import { unsupported } from "../openai/fields.ts"
import { maybe } from "../openai/messages.ts"
import { reasoningEfforts, wishesOf } from "../openai/tools.ts"
import { Item, messagesOf } from "./items.ts"
import type { KeptResponse } from "./kept.ts"

const Json = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** Functions are flat; other kinds are tools of OpenAI's servers, or forms that no template knows. */
const ResponseTool = Schema.Struct({
  type: Schema.String,
  name: maybe(Schema.String),
  description: maybe(Schema.String),
  parameters: maybe(Json),
  strict: maybe(Schema.Boolean)
})

const Choice = Schema.Union(
  Schema.Literal("auto", "none", "required"),
  Schema.Struct({
    type: Schema.String,
    name: maybe(Schema.String),
    mode: maybe(Schema.Literal("auto", "required")),
    tools: maybe(Schema.Array(Schema.Struct({ type: maybe(Schema.String), name: maybe(Schema.String) })))
  })
)

const Format = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text", "json_object") }),
  Schema.Struct({ type: Schema.Literal("json_schema"), name: maybe(Schema.String), schema: maybe(Json) })
)

export const ResponseRequest = Schema.Struct({
  model: AskedModel,
  input: maybe(Schema.Union(Schema.String, Schema.Array(Item))),
  instructions: maybe(Schema.String),
  previous_response_id: maybe(Schema.String),
  background: maybe(Schema.Boolean),
  store: maybe(Schema.Boolean),
  stream: maybe(Schema.Boolean),
  max_output_tokens: maybe(Schema.Int.pipe(Schema.nonNegative())),
  temperature: maybe(samplingFields.temperature.from),
  top_p: maybe(samplingFields.top_p.from),
  tools: maybe(Schema.Array(ResponseTool)),
  tool_choice: maybe(Choice),
  parallel_tool_calls: maybe(Schema.Boolean),
  reasoning: maybe(
    Schema.Struct({
      effort: maybe(Schema.Literal(...reasoningEfforts)),
      summary: maybe(Schema.String),
      generate_summary: maybe(Schema.String)
    })
  ),
  text: maybe(Schema.Struct({ format: maybe(Format), verbosity: maybe(Schema.String) })),
  include: maybe(Schema.Array(Schema.String)),
  top_logprobs: maybe(Schema.Int.pipe(Schema.between(0, topLogprobsMax))),
  metadata: maybe(Schema.Record({ key: Schema.String, value: Schema.String }))
})
export type ResponseRequest = typeof ResponseRequest.Type

export const decodeRequest = decoder(ResponseRequest)

type Fields = Readonly<Record<string, unknown>>
type Refused = RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">

export interface AskedResponse {
  readonly job: Omit<JobRequest, "model">
  readonly kept: KeptResponse
  /** what was left out of it */
  readonly ignored: ReadonlyArray<string>
}

/** The items of a request, a text as the user's message that it is. */
export const itemsOf = ({ input = [] }: ResponseRequest): ReadonlyArray<Item> =>
  typeof input === "string" ? [{ type: "message", role: "user", content: input }] : input

/** `before`: the conversation that it goes on from; `items`: its own, references resolved; `body`: as it was sent. */
export const jobOf = (
  asked: ResponseRequest,
  {
    before,
    body,
    items
  }: { readonly before: ReadonlyArray<ChatMessage>; readonly body: Fields; readonly items: ReadonlyArray<Item> }
): Either.Either<AskedResponse, Refused> =>
  Either.gen(function* () {
    const { include = [], instructions, max_output_tokens, temperature, top_logprobs, top_p } = asked
    // who asks for others asks for the tokens' own too
    const hasLogprobs = include.includes("message.output_text.logprobs") || (top_logprobs ?? 0) > 0
    const { ignored, messages } = yield* messagesOf(items)
    const { ignored: tools, wishes } = yield* wished(asked)
    const first: ReadonlyArray<ChatMessage> =
      instructions === undefined ? [] : [{ role: "system", content: instructions }]
    const all = [...first, ...before, ...messages]
    if (all.length === 0)
      return yield* Either.left(rbeeError("INVALID_REQUEST", "field input is missing", "", { field: "input" }))
    const kept = keptOf(asked, items, body)
    return {
      ignored: [...ignored, ...tools],
      kept,
      job: {
        messages: all,
        ...wishes,
        ...(max_output_tokens === undefined || max_output_tokens > maxTokensMax
          ? {}
          : { max_tokens: max_output_tokens }),
        ...(temperature === undefined ? {} : { temperature }),
        ...(top_p === undefined ? {} : { top_p }),
        ...(hasLogprobs ? { logprobs: top_logprobs ?? 0 } : {}),
        // its events are told to whoever asks, now or later
        stream: true,
        response: kept
      }
    }
  })

/** Functions and wishes in the words of a chat, which has the same. */
const wished = (asked: ResponseRequest) => {
  const { parallel_tool_calls, reasoning, text, tool_choice, tools = [] } = asked
  const known = tools.filter(({ name, type }) => type === "function" && name !== undefined)
  const others = tools.filter((tool) => !known.includes(tool)).map(({ type }) => `tools.${type}`)
  return Either.gen(function* () {
    const { allowed, choice } = yield* choiceOf(tool_choice)
    const offered = known.filter(({ name = "" }) => allowed?.includes(name) ?? true)
    const wishes = yield* wishesOf({
      tools: offered.map(({ type, name = "", ...rest }) => ({ type, function: { name, ...rest } })),
      ...(choice === undefined ? {} : { tool_choice: choice }),
      ...(parallel_tool_calls === undefined ? {} : { parallel_tool_calls }),
      ...(reasoning?.effort === undefined ? {} : { reasoning_effort: reasoning.effort }),
      ...(text?.format === undefined ? {} : { response_format: formatOf(text.format) })
    })
    return { wishes, ignored: [...new Set(others)] }
  })
}

const formatOf = (format: typeof Format.Type) => {
  if (format.type !== "json_schema") return format
  const { name, schema } = format
  const json_schema = { ...(name === undefined ? {} : { name }), ...(schema === undefined ? {} : { schema }) }
  return { type: format.type, json_schema }
}

const choiceOf = (choice: ResponseRequest["tool_choice"]) => {
  if (choice === undefined || typeof choice === "string") return Either.right({ choice, allowed: undefined })
  const { mode = "auto", name, tools = [], type } = choice
  if (type === "function" && name !== undefined)
    return Either.right({ choice: { type: "function" as const, function: { name } }, allowed: undefined })
  if (type === "allowed_tools")
    return Either.right({
      choice: mode,
      allowed: tools.flatMap((tool) => (tool.name === undefined ? [] : [tool.name]))
    })
  return Either.left(unsupported("tool_choice", `tool_choice of type ${type.slice(0, 64)} is not supported`))
}

const echoed = new Set([
  "instructions",
  "max_output_tokens",
  "metadata",
  "parallel_tool_calls",
  "prompt_cache_key",
  "reasoning",
  "safety_identifier",
  "service_tier",
  "temperature",
  "text",
  "tool_choice",
  "tools",
  "top_p",
  "truncation",
  "user"
])

/** A client is told its items as it sent them. */
const given = ({ input }: Fields, items: ReadonlyArray<Item>): KeptResponse["input"] =>
  Array.isArray(input) ? input.filter(isObject) : items

const keptOf = (asked: ResponseRequest, items: ReadonlyArray<Item>, body: Fields): KeptResponse => {
  const { background = false, include = [], instructions, model, previous_response_id, reasoning, store = true } = asked
  return {
    model,
    store,
    background,
    ...(previous_response_id === undefined ? {} : { previous: previous_response_id }),
    ...(instructions === undefined ? {} : { instructions }),
    input: store ? given(body, items) : [],
    summary: (reasoning?.summary ?? reasoning?.generate_summary) !== undefined,
    sealed: include.includes("reasoning.encrypted_content"),
    echo: Object.fromEntries(Object.entries(body).filter(([name, value]) => echoed.has(name) && value !== null))
  }
}
