/** What the readers of an answer share. */
import { isObject } from "../../formats/json/is-object.ts"
import type { Dialect, Mark } from "../dialect.ts"
import { Input, type Reading } from "./input.ts"
import { type Matched, Matcher } from "./match.ts"

/** What a piece of an answer adds. Those of a call follow each other; `CallId`: an id that the model wrote itself. */
export type Delta =
  | { readonly _tag: "Reasoning"; readonly text: string }
  | { readonly _tag: "Content"; readonly text: string }
  | { readonly _tag: "Call"; readonly index: number; readonly name: string }
  | { readonly _tag: "CallId"; readonly index: number; readonly id: string }
  | { readonly _tag: "Arguments"; readonly index: number; readonly text: string }

export interface DeclaredTool {
  readonly name: string
  readonly parameters?: unknown
}

const propertiesOf = ({ parameters }: DeclaredTool): Readonly<Record<string, unknown>> => {
  const properties: unknown = isObject(parameters) ? parameters["properties"] : undefined
  return isObject(properties) ? properties : {}
}

export class Context {
  readonly input = new Input()
  readonly dialect: Dialect
  readonly matcher: Matcher
  private readonly tools: ReadonlyMap<string, Readonly<Record<string, unknown>>>
  private calls = 0
  private found: Array<Delta> = []

  constructor(dialect: Dialect, tools: ReadonlyArray<DeclaredTool>) {
    this.dialect = dialect
    this.tools = new Map(tools.map((tool) => [tool.name, propertiesOf(tool)]))
    this.matcher = new Matcher(tools.map(({ name }) => name))
  }

  isDeclared(name: string): boolean {
    return this.tools.has(name)
  }

  /** The schema of a tool's argument. */
  schemaOf(name: string, key: string): unknown {
    return this.tools.get(name)?.[key]
  }

  say(tag: "Reasoning" | "Content", text: string): void {
    if (text === "") return
    const last = this.found.at(-1)
    if (last?._tag !== tag) this.found.push({ _tag: tag, text })
    else this.found.splice(-1, 1, { _tag: tag, text: last.text + text })
  }

  /** Says that a tool is called; gives the call's index. */
  call(name: string): number {
    const index = this.calls++
    this.found.push({ _tag: "Call", index, name })
    return index
  }

  callId(index: number, id: string): void {
    this.found.push({ _tag: "CallId", index, id })
  }

  /** More of a call's arguments. */
  argue(index: number, text: string): void {
    const last = this.found.at(-1)
    if (last?._tag !== "Arguments" || last.index !== index) this.found.push({ _tag: "Arguments", index, text })
    else this.found.splice(-1, 1, { _tag: "Arguments", index, text: last.text + text })
  }

  /** What was found since it was asked last. */
  takeFound(): ReadonlyArray<Delta> {
    const found = this.found
    this.found = []
    return found
  }

  /** The mark where the input is looked at; it is looked past then. Waits while it may still come. */
  *mark(mark: Mark): Reading<Matched | undefined> {
    const { input } = this
    for (;;) {
      const found = this.matcher.at(mark, input.text, input.at)
      if (typeof found === "object") {
        input.at = found.end
        return found
      }
      if (found === undefined || !(yield* input.more())) return undefined
    }
  }

  /** Whether one of these texts comes next, after white space. Nothing is looked past. "" is the end of all. */
  *follows(texts: ReadonlyArray<string>): Reading<boolean> {
    const { input } = this
    for (;;) {
      const rest = input.text.slice(input.at).trimStart()
      if (texts.some((text) => text !== "" && rest.startsWith(text))) return true
      if (!texts.some((text) => text.startsWith(rest))) return false
      if (!(yield* input.more())) return rest === "" && texts.includes("")
    }
  }
}
