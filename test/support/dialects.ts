/** Chat templates of our own, one for each form in which models call tools; and the renderer that the product has. */
import { readFileSync } from "node:fs"
import * as Schema from "effect/Schema"
import { rendererOf } from "../../src/layers/engine/llama/reading/renderer.ts"
import { loadRuntime } from "../../src/layers/engine/llama/runtime.ts"
import { Dialect } from "../../src/machines/dialect/dialect.ts"
import type { Render } from "../../src/machines/dialect/template.ts"

/** What a model of the kind writes: `calls` stands in the assistant's turn, `m` is the message. */
interface Style {
  readonly calls: string
  /** how reasoning is written, `m.reasoning_content` is there */
  readonly thought?: string
  /** what the prompt has after the assistant's head */
  readonly prompt?: string
  /** around content */
  readonly content?: string
}

const chat = ({ calls, content = "{{ m.content }}", prompt = "", thought = "" }: Style): string =>
  [
    `{%- if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif -%}`,
    `{%- for m in messages -%}`,
    `{{ '<|im_start|>' + m.role + '\\n' }}`,
    `{%- if m.role == 'assistant' -%}`,
    thought === "" ? "" : `{%- if m.reasoning_content -%}${thought}{%- endif -%}`,
    `{%- if m.content -%}${content}{%- endif -%}`,
    `{%- if m.tool_calls -%}${calls}{%- endif -%}`,
    `{%- else -%}{{ m.content }}{%- endif -%}`,
    `{{ '<|im_end|>\\n' }}`,
    `{%- endfor -%}`,
    `{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}${prompt}{%- endif -%}`
  ].join("")

const each = (inner: string): string => `{%- for c in m.tool_calls -%}{%- set f = c.function -%}${inner}{%- endfor -%}`
const eachArgument = (inner: string): string => `{%- for k, v in f.arguments.items() -%}${inner}{%- endfor -%}`
/** a value as JSON, a text as it is */
const raw = `{{ v if v is string else v | tojson }}`
const json = `{{ '{"name": "' + f.name + '", "arguments": ' + (f.arguments | tojson) + '}' }}`
const think = `{{ '<think>\\n' + m.reasoning_content + '\\n</think>\\n\\n' }}`

/** By the form, in words. */
export const templates = {
  "an object between marks": chat({
    thought: think,
    calls: each(`{{ '\\n<tool_call>\\n' }}${json}{{ '\\n</tool_call>' }}`)
  }),
  "objects in a section": chat({ calls: `{{ '<calls>\\n' }}${each(`${json}{{ '\\n' }}`)}{{ '</calls>' }}` }),
  "a bare object": chat({
    calls: `{%- if m.tool_calls | length > 1 -%}{{ raise_exception('one call') }}{%- endif -%}${each(json)}`,
    content: `{%- if not m.tool_calls -%}{{ m.content }}{%- endif -%}`
  }),
  "an object whose key is the name": chat({
    calls: each(`<|call|>{{ '{"' + f.name + '": ' + (f.arguments | tojson) + '}' }}<|done|>`)
  }),
  "arguments as text in an object": chat({
    calls: each(
      `<|call|>{{ '{"function": {"name": "' + f.name + '", "arguments": ' + (f.arguments | tojson | tojson) + '}}' }}<|done|>`
    )
  }),
  "a list with ids": chat({
    calls: `[CALLS][${each(`{{ '{"name": "' + f.name + '", "arguments": ' + (f.arguments | tojson) + ', "id": "' + c.id + '"}' }}{{ ', ' if not loop.last }}`)}]`
  }),
  "a name and its object": chat({ calls: each(`[CALL]{{ f.name }}[ID]{{ c.id }}[ARGS]{{ f.arguments | tojson }}`) }),
  "a name that is counted": chat({
    thought: `<think>{{ m.reasoning_content }}</think>`,
    calls: `<|section|>${each(`<|call|>functions.{{ f.name }}:{{ loop.index0 }}<|args|>{{ f.arguments | tojson }}<|end_call|>`)}<|end_section|>`
  }),
  "arguments that must be text": chat({
    calls: `<|calls|>${each(`{{ '<|call|>' + f.name + '\\n\`\`\`json\\n' + f.arguments + '\\n\`\`\`<|end|>' }}`)}{%- if m.tool_calls | length > 1 -%}<|end_calls|>{%- endif -%}`
  }),
  "a prompt that has opened a call": chat({
    prompt: `{{ '>>>' }}`,
    content: `{{ '>>>all\\n' + m.content }}`,
    calls: each(`{{ '>>>' + f.name + '\\n' + (f.arguments | tojson) }}`)
  }),
  "an element an argument": chat({
    thought: think,
    prompt: `{%- if enable_thinking is defined and not enable_thinking -%}{{ '<think>\\n\\n</think>\\n\\n' }}{%- else -%}{{ '<think>\\n' }}{%- endif -%}`,
    calls: each(
      `{{ '\\n<tool_call>\\n<function=' + f.name + '>\\n' }}${eachArgument(`{{ '<parameter=' + k + '>\\n' }}${raw}{{ '\\n</parameter>\\n' }}`)}{{ '</function>\\n</tool_call>' }}`
    )
  }),
  "keys and values": chat({
    thought: `<think>{{ m.reasoning_content }}</think>`,
    calls: each(
      `<tool_call>{{ f.name }}${eachArgument(`<arg_key>{{ k }}</arg_key><arg_value>${raw}</arg_value>`)}</tool_call>`
    )
  }),
  "an element named by its key": chat({
    calls: each(`<invoke name="{{ f.name }}">${eachArgument(`<{{ k }}>${raw}</{{ k }}>`)}</invoke>`)
  }),
  "a word for the type": chat({
    calls: `{{ '<calls>\\n' }}${each(`<invoke name="{{ f.name }}">{{ '\\n' }}${eachArgument(`<parameter name="{{ k }}" text="{{ 'yes' if v is string else 'no' }}">${raw}{{ '</parameter>\\n' }}`)}{{ '</invoke>\\n' }}`)}</calls>`
  }),
  "texts that are wrapped": chat({
    calls: each(
      `<call name="{{ f.name }}">${eachArgument(`<arg name="{{ k }}">{%- if v is string and '<' in v -%}{{ '<![CDATA[' + v + ']]>' }}{%- else -%}${raw}{%- endif -%}</arg>`)}</call>`
    )
  }),
  "calls as in Python": chat({
    calls: `<|calls|>[${each(`{{ f.name }}(${eachArgument(`{{ k }}={{ v | tojson }}{{ ', ' if not loop.last }}`)}){{ ', ' if not loop.last }}`)}]<|end_calls|>`
  }),
  "quotes of its own": chat({
    calls: each(
      `<|call>call:{{ f.name }}{{ '{' }}${eachArgument(`{{ k }}:{%- if v is string -%}<|"|>{{ v }}<|"|>{%- else -%}{{ v | tojson }}{%- endif -%}{{ ',' if not loop.last }}`)}{{ '}' }}<call|>`
    )
  }),
  "messages in an answer": [
    `{%- if tools %}<|start|>system<|message|>{{ tools | tojson }}<|end|>{% endif -%}`,
    `{%- for m in messages -%}`,
    `{%- if m.role != 'assistant' -%}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>`,
    `{%- else -%}`,
    `{%- if m.reasoning_content -%}<|start|>assistant<|channel|>thought<|message|>{{ m.reasoning_content }}<|end|>{%- endif -%}`,
    `{%- if m.content -%}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>{%- endif -%}`,
    `{%- if m.tool_calls -%}${each(`<|start|>assistant<|channel|>tool to={{ f.name }}<|message|>{{ f.arguments | tojson }}<|end|>`)}{%- endif -%}`,
    `{%- endif -%}`,
    `{%- endfor -%}`,
    `{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}`
  ].join("")
} as const

export type Form = keyof typeof templates

/** A template that knows no tools. */
export const plainTemplate = chat({ calls: "" })
/** A template that writes a call so that nobody can read it back. */
export const unreadable = chat({
  calls: each(
    `I now call {{ f.name }} with {{ f.arguments.keys() | join(' and ') }} as {{ f.arguments.values() | join(' and ') }}, so`
  )
})

const object = `{{ {'name': f.name, 'arguments': f.arguments} | tojson }}`
const args = `{{ f.arguments | tojson }}`

/** The same forms in other clothes, and those that lose something. */
export const variants = {
  thoughtInPrompt: chat({
    prompt: `{%- if enable_thinking -%}{{ '<think>\\n' }}{%- else -%}{{ '<think>\\n</think>\\n' }}{%- endif -%}`,
    calls: each(`[CALL]{{ f.name }}[ARGS]${args}`)
  }),
  quotesUnescaped: chat({
    calls: `<|calls|>[${each(`{{ f.name }}(${eachArgument(`{{ k }}={%- if v is string -%}'{{ v }}'{%- else -%}{{ v | tojson }}{%- endif -%}{{ ', ' if not loop.last }}`)}){{ ', ' if not loop.last }}`)}]<|end_calls|>`
  }),
  nested: chat({
    calls: each(
      `<invoke name="{{ f.name }}">${eachArgument(`<{{ k }}>{%- if v is mapping -%}{%- for a, b in v.items() -%}<{{ a }}>{{ b }}</{{ a }}>{%- endfor -%}{%- elif v is string -%}{{ v }}{%- elif v is sequence -%}{%- for b in v -%}<item>{{ b }}</item>{%- endfor -%}{%- else -%}{{ v | tojson }}{%- endif -%}</{{ k }}>`)}</invoke>`
    )
  }),
  /** as gpt-oss has it: the tool before the channel, which its model writes the other way round */
  channels: [
    `{%- for m in messages -%}`,
    `{%- if m.role != 'assistant' -%}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>`,
    `{%- else -%}`,
    `{%- if m.reasoning_content -%}<|start|>assistant<|channel|>analysis<|message|>{{ m.reasoning_content }}<|end|>{%- endif -%}`,
    `{%- if m.tool_calls -%}${each(`<|start|>assistant to=functions.{{ f.name }}<|channel|>commentary json<|message|>{{ f.arguments | tojson }}<|call|>`)}`,
    `{%- else -%}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|return|>{%- endif -%}`,
    `{%- endif -%}`,
    `{%- endfor -%}`,
    `{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}`
  ].join(""),
  others: {
    "the name and an id as attributes": chat({
      calls: each(`<tool_call name="{{ f.name }}" id="{{ c.id }}">${args}</tool_call>`)
    }),
    "the whole call as the API has it": chat({ calls: each(`<t>{{ c | tojson }}</t>`) }),
    "objects over many lines": chat({
      calls: each(`<t>{{ {'name': f.name, 'arguments': f.arguments} | tojson(indent=4) }}</t>`)
    }),
    "the arguments first": chat({
      calls: each(`<t>{{ '{"arguments": ' + (f.arguments | tojson) + ', "name": "' + f.name + '"}' }}</t>`)
    }),
    "objects with a semicolon between": chat({
      calls: each(`${object}{{ '; ' if not loop.last }}`),
      content: `{%- if not m.tool_calls -%}{{ m.content }}{%- endif -%}`
    }),
    "a list between marks": chat({
      calls: `<|tool_call|>[${each(`${object}{{ ', ' if not loop.last }}`)}]<|/tool_call|>`
    }),
    "a block of code": chat({
      calls: `<tool_calls>${each(`<tool_call>{{ f.name + '\\n\`\`\`json\\n' + (f.arguments | tojson) + '\\n\`\`\`\\n' }}</tool_call>`)}</tool_calls>`
    }),
    "words as marks": chat({
      calls: each(`{{ 'Action: ' + f.name + '\\nAction Input: ' + (f.arguments | tojson) + '\\n' }}`)
    }),
    "text within the marks of its calls": chat({
      content: `{%- if not m.tool_calls -%}{{ m.content }}{%- endif -%}`,
      calls: `<|calls|>{{ m.content }}[${each(`{{ f.name }}(${eachArgument(`{{ k }}={{ v | tojson }}{{ ', ' if not loop.last }}`)}){{ ', ' if not loop.last }}`)}]<|end_calls|>`
    }),
    "messages of thought, calls and content": [
      `{%- for m in messages -%}`,
      `{%- if m.role != 'assistant' -%}<|begin|>{{ m.role }}<|content|>{{ m.content }}<|end|>`,
      `{%- else -%}<|begin|>assistant<|think|>{{ m.reasoning_content or '' }}<|end|>`,
      `{%- if m.content or not m.tool_calls -%}<|begin|>assistant<|content|>{{ m.content }}<|end|>{%- endif -%}`,
      `{%- if m.tool_calls -%}<|begin|>assistant<|calls|>${each(`<|call|>{{ c.id }}<|name|>{{ f.name }}<|args|>${args}<|end_call|>`)}<|end|>{%- endif -%}`,
      `{%- endif -%}`,
      `{%- endfor -%}`,
      `{%- if add_generation_prompt -%}<|begin|>assistant{%- endif -%}`
    ].join(""),
    "the name in an element": chat({
      calls: each(`<call><name>{{ f.name }}</name><arguments>${args}</arguments></call>`)
    }),
    "Python's calls, a line each": chat({
      calls: `{{ '<calls>\\n' }}${each(`{{ f.name }}(${eachArgument(`{{ k }}={{ v | tojson }}{{ ', ' if not loop.last }}`)}){{ '\\n' if not loop.last }}`)}{{ '\\n</calls>' }}`
    }),
    "JSON in an element an argument": chat({
      calls: each(`<tool name="{{ f.name }}">${eachArgument(`<p n="{{ k }}">{{ v | tojson }}</p>`)}</tool>`)
    }),
    "marks around the answer": chat({
      content: `<answer>{{ m.content }}</answer>`,
      thought: `<reason>{{ m.reasoning_content }}</reason>`,
      calls: each(`<tool>{{ f.name }}{{ '\\n' }}${args}</tool>`)
    })
  }
} as const

export const renderOf = async (template: string): Promise<Render> => {
  const { addon } = await loadRuntime({ gpu: "cpu" })
  return rendererOf(addon, template, { bos: "", eos: "<|endoftext|>" })
}

/** What is learned of each, a line a form: test/machines/dialect/learn.test.ts holds that it is, and draws it anew. */
const learned = new URL("../machines/dialect/learned.jsonl", import.meta.url)
const Learned = Schema.parseJson(Schema.Struct({ form: Schema.String, dialect: Dialect }))

const known = (): ReadonlyMap<string, Dialect> =>
  new Map(
    readFileSync(learned, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => Schema.decodeSync(Learned)(line))
      .map(({ dialect, form }) => [form, dialect])
  )
let forms: ReadonlyMap<string, Dialect> | undefined

/** As it is learned of the template, without the time that that takes. */
export const dialectOf = (form: Form): Dialect => {
  forms ??= known()
  const dialect = forms.get(form)
  if (dialect === undefined) throw new Error(`nothing is learned of ${form}`)
  return dialect
}
