/**
 * What an answer of a chat looks like: the text on stdout, its Markdown rendered where that shows styles, what was thought
 * before it dim on a terminal and left out of a pipe, the narration as one line on a terminal that goes when the answer
 * comes. Also what it says, once it has ended.
 */
import { type Beginning, type Delta, Fold } from "../../machines/dialect/fold/fold.ts"
import type { Dialect } from "../../machines/dialect/dialect.ts"
import { isObject } from "../../machines/formats/json/is-object.ts"
import type { Answer } from "../../machines/chat/conversation.ts"
import { answered, cancelled, inferConnected, type Line, lineOf } from "../../machines/narration.ts"
import { paint, type Part, printable, Prose, type Terminal } from "../../layers/terminal/index.ts"
import { liveText, type Renderer } from "./renderer.ts"

export interface ChatRenderer extends Renderer {
  /** How the model writes; until it is told its text waits. Undefined: text alone. */
  readonly writes: (dialect: Dialect | undefined) => void
  readonly answer: () => Answer
}

/** An answer may begin as the prompt has left off. */
const beginningOf = ({ reasoning }: Dialect): Beginning => ({
  tools: [],
  prompt: reasoning?.prompt.default === "open" ? reasoning.open : ""
})

const within = (data: unknown, ...path: ReadonlyArray<string>): unknown => {
  let value = data
  for (const key of path) value = isObject(value) ? value[key] : undefined
  return value
}
const numberIn = (data: unknown, ...path: ReadonlyArray<string>): number => {
  const value = within(data, ...path)
  return typeof value === "number" ? value : 0
}

/** Shows one line on stderr at a time, where that is a terminal. */
const makeLive = ({ stderr }: Terminal["Type"]) => {
  let shown = ""
  const clear = () => {
    if (shown === "") return
    shown = ""
    stderr.clearLine()
  }
  const draw = (text: string) => {
    if (!stderr.isTTY || text === shown) return
    shown = text
    stderr.clearLine()
    stderr.write(paint("dim", printable(text).slice(0, Math.max(stderr.columns() - 1, 10))))
  }
  return { clear, draw }
}

/** `onConnected`: the job's model, by its reference, is about to answer. */
// long: the state of one answer, and what changes it
export const makeChatRenderer = (
  terminal: Terminal["Type"],
  onConnected: (modelRef: string | undefined) => void
): ChatRenderer => {
  const { stderr, stdout } = terminal
  const live = makeLive(terminal)
  /** text that waits for what is to be made of it */
  let waiting: string | undefined = ""
  let fold: Fold | undefined
  const said = { content: "", reasoning: "" }
  let pending: Array<{ readonly as: "thought" | "gap" | "answer"; text: string }> = []
  let midLine = false
  const prose = stdout.isTTY && stdout.isStyled ? new Prose(stdout.columns) : undefined

  const show = (isThought: boolean, text: string) => {
    said[isThought ? "reasoning" : "content"] += text
    if (isThought && !stdout.isTTY) return
    const as = isThought ? "thought" : "answer"
    const last = pending.at(-1)
    if (last?.as === as) return void (last.text += text)
    // the answer begins below what was thought
    if (!isThought && stdout.isTTY && said.reasoning !== "") pending.push({ as: "gap", text: "\n\n" })
    pending.push({ as, text })
  }
  const take = (deltas: ReadonlyArray<Delta>) => {
    for (const delta of deltas)
      if (delta._tag === "Content" || delta._tag === "Reasoning") show(delta._tag === "Reasoning", delta.text)
  }
  const read = (text: string) => (fold === undefined ? show(false, text) : take(fold.push(text)))
  const writes = (dialect: Dialect | undefined) => {
    if (waiting === undefined) return
    const before = waiting
    waiting = undefined
    if (dialect !== undefined) fold = new Fold(dialect, beginningOf(dialect))
    read(before)
    flush()
  }
  const put = (parts: ReadonlyArray<Part>) => {
    if (parts.length === 0) return
    live.clear()
    const last = parts.at(-1) ?? ""
    midLine = !(typeof last === "string" ? last : last.text).endsWith("\n")
    stdout.write(...parts)
  }
  const flush = () => {
    const parts = pending.filter(({ text }) => text !== "")
    pending = []
    put(
      parts.flatMap(({ as, text }) => {
        if (as === "answer" && prose !== undefined) return prose.push(text)
        return as === "thought" ? paint("dim", text) : text
      })
    )
  }
  /** all of it is there */
  const close = () => {
    writes(undefined)
    if (fold !== undefined) take(fold.end())
    fold = undefined
    flush()
    put(prose?.end() ?? [])
    live.clear()
    if (midLine) stdout.write("\n")
    midLine = false
  }
  const say = (line: Line) => {
    if (line.level !== "error") return midLine ? undefined : live.draw(lineOf(line))
    close()
    stderr.write(paint("red", printable(lineOf(line))), "\n")
  }
  return {
    say: (line, heard) => {
      if (line.action === inferConnected().action) {
        const ref = heard?.data["modelRef"]
        onConnected(typeof ref === "string" ? ref : undefined)
      }
      say(line)
    },
    token: (text) => {
      if (waiting === undefined) read(text)
      else waiting += text
    },
    note: ({ data, event }) => {
      if (event === "progress" && !midLine) live.draw(liveText(data))
      if (event !== "done") return
      // it was done before anybody told how to read it: the end says what it means
      const [thought, content] = [within(data, "message", "reasoning"), within(data, "message", "content")]
      if (waiting !== undefined && typeof content === "string") {
        waiting = undefined
        if (typeof thought === "string") show(true, thought)
        show(false, content)
      }
      close()
      const ms = numberIn(data, "timings", "total_ms") - numberIn(data, "timings", "first_token_ms")
      stderr.write(paint("dim", lineOf(answered(numberIn(data, "tokens"), ms))), "\n")
    },
    flush,
    cancelled: () => {
      close()
      stderr.write(paint("dim", lineOf(cancelled())), "\n")
    },
    close,
    writes,
    answer: () => ({ content: said.content, ...(said.reasoning === "" ? {} : { reasoning: said.reasoning }) })
  }
}
