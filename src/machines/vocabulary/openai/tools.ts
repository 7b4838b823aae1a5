/** What a model may call and how it is to answer, as OpenAI's clients say it. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { type RbeeError, rbeeError } from "../../errors.ts"
import { type Conversation, type ResponseFormat, Tool, type ToolChoice } from "../conversation.ts"
import { unsupported } from "./fields.ts"
import { maybe } from "./messages.ts"

const JsonSchema = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const OpenAiFunction = Schema.Struct({
  name: Tool.fields.name,
  description: maybe(Schema.String),
  parameters: maybe(JsonSchema),
  strict: maybe(Schema.Boolean)
})
/** Other types than functions are refused by their name. */
const OpenAiTool = Schema.Struct({ type: Schema.String, function: maybe(OpenAiFunction) })

const OpenAiToolChoice = Schema.Union(
  Schema.Literal("auto", "none", "required"),
  Schema.Struct({ type: Schema.Literal("function"), function: Schema.Struct({ name: Schema.String }) })
)

const OpenAiResponseFormat = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text", "json_object") }),
  Schema.Struct({
    type: Schema.Literal("json_schema"),
    json_schema: Schema.Struct({
      name: maybe(Schema.String),
      description: maybe(Schema.String),
      schema: maybe(JsonSchema),
      strict: maybe(Schema.Boolean)
    })
  })
)

export const reasoningEfforts = ["none", "minimal", "low", "medium", "high", "xhigh"] as const

export const openAiToolFields = {
  tools: maybe(Schema.Array(OpenAiTool)),
  tool_choice: maybe(OpenAiToolChoice),
  parallel_tool_calls: maybe(Schema.Boolean),
  response_format: maybe(OpenAiResponseFormat),
  reasoning_effort: maybe(Schema.Literal(...reasoningEfforts)),
  chat_template_kwargs: maybe(JsonSchema),
  /** the last message, an assistant's, is the beginning of the answer */
  continue_final_message: maybe(Schema.Boolean),
  /** vLLM's clients say false beside it */
  add_generation_prompt: maybe(Schema.Boolean)
} as const

type ToolFields = Schema.Struct.Type<typeof openAiToolFields>
type Refused = RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">
type Wishes = Omit<Conversation, "messages">

const toolOf = (tool: typeof OpenAiTool.Type, at: string): Either.Either<Tool, Refused> => {
  const { function: made, type } = tool
  if (type !== "function" || made === undefined)
    return Either.left(unsupported(at, `${at} is not a function; other tools are not supported`))
  const { description, name, parameters, strict } = made
  return Either.right({
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(strict === undefined ? {} : { strict })
  })
}

const formatOf = (format: typeof OpenAiResponseFormat.Type): ResponseFormat => {
  if (format.type !== "json_schema") return format
  const { name, schema = {} } = format.json_schema
  return { type: "json_schema", schema, ...(name === undefined ? {} : { name }) }
}

/** As the effort's word, or off. */
export const reasoningOf = (effort: (typeof reasoningEfforts)[number]): NonNullable<Wishes["reasoning"]> =>
  effort === "none" ? "off" : { effort: effort === "xhigh" ? "high" : effort }

/** Everything of a conversation but its messages. */
export const wishesOf = (chat: ToolFields): Either.Either<Wishes, Refused> =>
  Either.gen(function* () {
    const { chat_template_kwargs, parallel_tool_calls, reasoning_effort, response_format, tool_choice } = chat
    const tools = yield* Either.all((chat.tools ?? []).map((tool, index) => toolOf(tool, `tools[${index}]`)))
    const choice = tool_choice === undefined ? undefined : choiceOf(tool_choice)
    yield* checkChoice(choice, tools)
    const goesOn = yield* goesOnIn(chat)
    return {
      ...(tools.length === 0 ? {} : { tools }),
      ...(choice === undefined || tools.length === 0 ? {} : { tool_choice: choice }),
      ...(parallel_tool_calls === undefined ? {} : { parallel_tool_calls }),
      ...(response_format === undefined || response_format.type === "text"
        ? {}
        : { response_format: formatOf(response_format) }),
      ...(reasoning_effort === undefined ? {} : { reasoning: reasoningOf(reasoning_effort) }),
      ...(chat_template_kwargs === undefined ? {} : { template_args: chat_template_kwargs }),
      ...(goesOn ? { continue_final_message: true } : {})
    }
  })

/** An answer goes on with the last message, or begins one of its own. */
const goesOnIn = ({
  add_generation_prompt: begins,
  continue_final_message: goesOn = false
}: ToolFields): Either.Either<boolean, Refused> => {
  const field = "add_generation_prompt"
  if (goesOn && begins === true)
    return Either.left(
      rbeeError("INVALID_REQUEST", `${field} begins a message, and continue_final_message goes on with one`, "", {
        field
      })
    )
  return !goesOn && begins === false
    ? Either.left(unsupported(field, `${field} is false, and the answer goes on with no message`))
    : Either.right(goesOn)
}

const choiceOf = (choice: typeof OpenAiToolChoice.Type): ToolChoice =>
  typeof choice === "string" ? choice : { name: choice.function.name }

/** A choice that nothing can satisfy is the client's mistake. */
export const checkChoice = (
  choice: ToolChoice | undefined,
  tools: ReadonlyArray<Tool>
): Either.Either<void, RbeeError<"INVALID_REQUEST">> => {
  const wrong = (what: string) => Either.left(rbeeError("INVALID_REQUEST", what, "", { field: "tool_choice" }))
  if (choice === "required" && tools.length === 0) return wrong("tool_choice is required, and there are no tools")
  if (typeof choice === "object" && !tools.some(({ name }) => name === choice.name))
    return wrong(`tool_choice names ${choice.name}, which is not among the tools`)
  return Either.void
}
