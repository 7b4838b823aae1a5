/** What is typed in a chat: lines that make a message, or a command. As Ollama's users type it. */

export type Input =
  | { readonly _tag: "Message"; readonly text: string }
  | { readonly _tag: "System" | "Model" | "Save" | "Load"; readonly text: string }
  | { readonly _tag: "Clear" | "Help" }
  | { readonly _tag: "Bye" }
  | { readonly _tag: "Nothing" }
  /** what is no command, or lacks what it is about */
  | { readonly _tag: "Wrong"; readonly problem: string }

/** Lines of a message that goes on: within quotes, or behind a backslash. */
export interface Begun {
  readonly quoted: boolean
  readonly text: string
}

export type Read = { readonly _tag: "Whole"; readonly input: Input } | { readonly _tag: "Begun"; readonly begun: Begun }

const quotes = '"""'

const commands = {
  system: { tag: "System", about: "TEXT" },
  model: { tag: "Model", about: "REF" },
  save: { tag: "Save", about: "FILE" },
  load: { tag: "Load", about: "FILE" },
  clear: { tag: "Clear" },
  help: { tag: "Help" },
  "?": { tag: "Help" },
  bye: { tag: "Bye" },
  exit: { tag: "Bye" },
  quit: { tag: "Bye" }
} as const

type Name = keyof typeof commands
const isName = (name: string): name is Name => Object.hasOwn(commands, name)

export const help = [
  "/system TEXT   what the model is told before all else",
  "/model REF     who answers from here on",
  "/save FILE     keep the conversation, as JSON",
  "/load FILE     go on with one that was kept",
  "/clear         forget what was said; the system prompt stays",
  "/help          this",
  "/bye           end; so do Ctrl-D, and Ctrl-C twice",
  '"""            begins and ends a message of several lines; a \\ at the end of a line goes on in the next',
  "Ctrl-C         stops an answer"
].join("\n")

const commandOf = (name: string, about: string): Input => {
  if (name === "image") return { _tag: "Wrong", problem: "/image is not served: a chat in the terminal is text alone" }
  if (!isName(name)) return { _tag: "Wrong", problem: `/${name} is no command; /help lists them` }
  const command = commands[name]
  if (!("about" in command))
    return about === "" ? { _tag: command.tag } : { _tag: "Wrong", problem: `/${name} takes nothing more` }
  return about === ""
    ? { _tag: "Wrong", problem: `/${name} takes ${command.about}` }
    : { _tag: command.tag, text: about }
}

/** A path is no command: `/etc/hosts, what is it?` is a message. */
const inputOf = (text: string): Input => {
  const trimmed = text.trim()
  if (trimmed === "") return { _tag: "Nothing" }
  const [, name, about = ""] = /^\/([a-z]+|\?)(?:\s+([\s\S]*))?$/i.exec(trimmed) ?? []
  return name === undefined ? { _tag: "Message", text: trimmed } : commandOf(name.toLowerCase(), about)
}

const message = (text: string): Input => (text.trim() === "" ? { _tag: "Nothing" } : { _tag: "Message", text })

/** One more line, after those of `begun`. */
export const read = (line: string, begun?: Begun): Read => {
  const opens = begun === undefined && line.trimStart().startsWith(quotes)
  const rest = opens ? line.trimStart().slice(quotes.length) : line
  const text = begun === undefined ? rest : `${begun.text}\n${rest}`
  if (opens || begun?.quoted === true) {
    // what stands alone in its line, as the quotes mostly do, adds no line of its own
    const said = (found: string) => found.replace(/^\n/, "").replace(/\n$/, "")
    return rest.trimEnd().endsWith(quotes)
      ? { _tag: "Whole", input: message(said(text.trimEnd().slice(0, -quotes.length))) }
      : { _tag: "Begun", begun: { quoted: true, text } }
  }
  if (line.endsWith("\\")) return { _tag: "Begun", begun: { quoted: false, text: text.slice(0, -1) } }
  return { _tag: "Whole", input: begun === undefined ? inputOf(text) : message(text) }
}

/** The input ended within a message: that is all of it. */
export const ended = (begun: Begun): Input => message(begun.text)
