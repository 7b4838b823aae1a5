/** What a model may call, how it is to think and to answer, as Anthropic's clients say it. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { RbeeError } from "../../errors.ts"
import type { Conversation, ReasoningWish, Tool, ToolChoice } from "../conversation.ts"
import { unsupported } from "../openai/fields.ts"
import { maybe } from "../openai/messages.ts"
import { checkChoice } from "../openai/tools.ts"

const JsonSchema = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** Other types than one's own are tools of Anthropic's servers or of its clients' machines. */
const AnthropicTool = Schema.Struct({
  type: maybe(Schema.String),
  name: maybe(Schema.String),
  description: maybe(Schema.String),
  input_schema: maybe(JsonSchema),
  strict: maybe(Schema.Boolean)
})

const AnthropicToolChoice = Schema.Struct({
  type: Schema.Literal("auto", "any", "tool", "none"),
  name: maybe(Schema.String),
  disable_parallel_tool_use: maybe(Schema.Boolean)
})

const Thinking = Schema.Struct({
  type: Schema.Literal("enabled", "disabled", "adaptive", "between_tools"),
  budget_tokens: maybe(Schema.Int.pipe(Schema.positive()))
})

const Format = Schema.Struct({ type: Schema.String, schema: maybe(JsonSchema) })

export const wishFields = {
  tools: maybe(Schema.Array(AnthropicTool)),
  tool_choice: maybe(AnthropicToolChoice),
  thinking: maybe(Thinking),
  output_config: maybe(
    Schema.Struct({ effort: maybe(Schema.Literal("low", "medium", "high", "xhigh", "max")), format: maybe(Format) })
  ),
  /** an older name of `output_config.format` */
  output_format: maybe(Format)
} as const

type WishFields = Schema.Struct.Type<typeof wishFields>
type Wishes = Omit<Conversation, "messages">
type Refused = RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">

export interface Wished {
  readonly wishes: Wishes
  /** kinds of tools that nothing here can run */
  readonly ignored: ReadonlyArray<string>
}

/** Everything of a conversation but its messages. */
export const wishesOf = (asked: WishFields): Either.Either<Wished, Refused> =>
  Either.gen(function* () {
    const { output_config, output_format, tool_choice } = asked
    const { ignored, tools } = toolsOf(asked.tools ?? [])
    const choice = tool_choice === undefined ? undefined : choiceOf(tool_choice)
    yield* checkChoice(choice, tools)
    const response_format = yield* formatOf(output_config?.format ?? output_format)
    const reasoning = reasoningOf(asked)
    return {
      ignored,
      wishes: {
        ...(tools.length === 0 ? {} : { tools }),
        ...(choice === undefined || tools.length === 0 ? {} : { tool_choice: choice }),
        ...(tool_choice?.disable_parallel_tool_use === true ? { parallel_tool_calls: false } : {}),
        ...(response_format === undefined ? {} : { response_format }),
        ...(reasoning === undefined ? {} : { reasoning })
      }
    }
  })

const toolsOf = (given: ReadonlyArray<typeof AnthropicTool.Type>) => {
  const tools: Array<Tool> = []
  const ignored = new Set<string>()
  for (const { description, input_schema, name, strict, type = "custom" } of given) {
    if (type !== "custom" || name === undefined || name === "") ignored.add(`tools.${type}`)
    else
      tools.push({
        name,
        ...(description === undefined ? {} : { description }),
        ...(input_schema === undefined ? {} : { parameters: input_schema }),
        ...(strict === undefined ? {} : { strict })
      })
  }
  return { tools, ignored: [...ignored] }
}

const choiceOf = ({ name = "", type }: typeof AnthropicToolChoice.Type): ToolChoice =>
  type === "tool" ? { name } : type === "any" ? "required" : type

const formatOf = (
  format: typeof Format.Type | undefined
): Either.Either<Wishes["response_format"], RbeeError<"UNSUPPORTED_PARAMETER">> => {
  if (format === undefined || format.type === "text") return Either.right(undefined)
  if (format.type !== "json_schema" || format.schema === undefined)
    return Either.left(unsupported("output_config.format"))
  return Either.right({ type: "json_schema", schema: format.schema })
}

/** By Anthropic's book a model thinks where it is told to, and not else. */
const reasoningOf = ({ output_config, thinking }: WishFields): ReasoningWish | undefined => {
  if (thinking === undefined || thinking.type === "disabled") return "off"
  const asked = output_config?.effort
  const effort = asked === "xhigh" || asked === "max" ? "high" : asked
  const { budget_tokens: budget } = thinking
  if (effort === undefined && budget === undefined) return thinking.type === "enabled" ? {} : undefined
  return { ...(effort === undefined ? {} : { effort }), ...(budget === undefined ? {} : { budget }) }
}
