/** What a chat template is given, and a function that has it rendered. */

export interface TemplateCall {
  readonly id: string
  readonly type: "function"
  readonly function: { readonly name: string; readonly arguments: unknown }
}

export interface TemplateMessage {
  readonly role: "system" | "user" | "assistant" | "tool"
  readonly content: unknown
  readonly tool_calls?: ReadonlyArray<TemplateCall>
  readonly tool_call_id?: string
  readonly name?: string
  /** reasoning, under the name that the template knows */
  readonly [field: string]: unknown
}

export interface TemplateTool {
  readonly type: "function"
  readonly function: {
    readonly name: string
    readonly description: string
    readonly parameters: Readonly<Record<string, unknown>>
  }
}

export interface TemplateInput {
  readonly messages: ReadonlyArray<TemplateMessage>
  readonly tools: ReadonlyArray<TemplateTool>
  readonly prompt: boolean
  /** undefined: the template's own mind */
  readonly thinking: boolean | undefined
  /** variables of the template's own */
  readonly args: Readonly<Record<string, unknown>>
}

/** Throws where the template refuses. */
export type Render = (input: TemplateInput) => string

/** The variables of a template: some know tools and thinking under other names. */
export const variablesOf = ({ args, messages, prompt, thinking, tools }: TemplateInput): Record<string, unknown> => ({
  messages,
  add_generation_prompt: prompt,
  ...(tools.length === 0 ? {} : { tools, functions: JSON.stringify(tools.map((tool) => tool.function)) }),
  ...(thinking === undefined
    ? {}
    : { enable_thinking: thinking, thinking, thinking_mode: thinking ? "enabled" : "disabled" }),
  ...args
})
