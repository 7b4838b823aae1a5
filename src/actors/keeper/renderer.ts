/**
 * What a run of `rbee infer` says: tokens on stdout, narration on stderr, or JSON lines on stdout for everything.
 * Tokens are gathered and written once per network chunk (`flush`), always before the line that follows them.
 */
import {
  type Actor,
  cancelled,
  done as doneLine,
  downloadKept,
  type Line,
  lineOf,
  megabytes
} from "../../machines/narration.ts"
import { type Colour, type Output, paint, printable, type Terminal } from "../../layers/terminal/index.ts"

export type Format = "plain" | "quiet" | "json"

/** An event of a job's stream, as it came. */
export interface Heard {
  readonly event: string
  readonly id?: string | undefined
  readonly data: Readonly<Record<string, unknown>>
}

export interface Renderer {
  /** A line; `heard` is the event that brought it, when it came over the wire. */
  readonly say: (line: Line, heard?: Heard) => void
  /** The text of a `token` event. */
  readonly token: (text: string, heard: Heard) => void
  /** Everything else on the stream: it is only shown as JSON, except that progress moves a terminal's live line. */
  readonly note: (heard: Heard) => void
  readonly flush: () => void
  /** Ctrl-C, and what is left of what it ended. */
  readonly cancelled: () => void
  /** Leaves the terminal as a shell wants it: no live line, the prompt at the start of a line. */
  readonly close: () => void
}

const colours: Readonly<Record<Actor, Colour>> = {
  "bee-keeper": "yellow",
  queen: "magenta",
  hive: "cyan",
  worker: "green"
}

/** "download 35% @ 42 MB/s, 12 s left" */
export const liveText = (data: Readonly<Record<string, unknown>>): string => {
  const [received, total, rate] = [data["received"], data["total"], data["rate"]].map((value) =>
    typeof value === "number" ? value : undefined
  )
  const share =
    received !== undefined && total !== undefined && total > 0 ? Math.floor((100 * received) / total) : undefined
  const amount = share !== undefined ? ` ${share}%` : received === undefined ? "" : ` ${megabytes(received)} MB`
  const leftS = total === undefined || received === undefined || !rate ? 0 : Math.ceil((total - received) / rate)
  const left = leftS <= 0 ? "" : leftS < 120 ? `, ${leftS} s left` : `, ${Math.ceil(leftS / 60)} min left`
  return `${String(data["stage"])}${amount}${rate === undefined ? "" : ` @ ${megabytes(rate)} MB/s${left}`}`
}

type Writer = Omit<Renderer, "cancelled">

const downloads = new Set(["download_start", "download_resume", "download_progress", "download_done"])

const remembering = (writer: Writer): Renderer => {
  /** the last that was said of a download */
  let stage = "download_done"
  return {
    ...writer,
    say: (line, heard) => {
      if (downloads.has(line.action)) stage = line.action
      writer.say(line, heard)
    },
    cancelled: () => {
      writer.say(cancelled())
      if (stage !== "download_done") writer.say(downloadKept())
    }
  }
}

const makeJson = (stdout: Output, now: () => number): Writer => {
  let pending = ""
  const put = (event: string, id: string | undefined, data: Readonly<Record<string, unknown>>) => {
    pending += `${JSON.stringify({ event, ...(id === undefined ? {} : { id }), ...data })}\n`
  }
  const flush = () => {
    if (pending === "") return
    const text = pending
    pending = ""
    stdout.write(text)
  }
  const note = (heard: Heard) => put(heard.event, heard.id, heard.data)
  return {
    say: (line, heard) => {
      if (heard === undefined) put("narration", undefined, { ...line, at: now() })
      else note(heard)
      flush()
    },
    token: (_, heard) => note(heard),
    note,
    flush,
    close: flush
  }
}

const makeText = (
  terminal: Terminal["Type"],
  { quiet, raw }: { readonly quiet: boolean; readonly raw: boolean }
): Writer => {
  const { stdout, stderr } = terminal
  let pending = ""
  /** the live line that stands on stderr now */
  let live = ""
  let hasProgress = false
  /** on a terminal both streams share the cursor: where tokens left it */
  let midLine = false
  const clear = () => {
    if (live === "") return
    live = ""
    stderr.clearLine()
  }
  const draw = (text: string) => {
    if (!stderr.isTTY || quiet || midLine || text === live) return
    live = text
    stderr.clearLine()
    stderr.write(paint("dim", printable(text).slice(0, Math.max(stderr.columns() - 1, 10))))
  }
  const flush = () => {
    if (pending === "") return
    clear()
    const text = pending
    pending = ""
    midLine = !text.endsWith("\n")
    if (raw) stdout.writeRaw(text)
    else stdout.write(text)
  }
  /** a line on stderr must not continue the answer's last line */
  const freshLine = () => {
    if (midLine && stdout.isTTY) stdout.write("\n")
    midLine = false
  }
  return {
    say: (line) => {
      if (quiet && line.level !== "error") return
      // on a terminal the live line shows it, better by the progress events; the last one stays
      const isStep = line.action === "download_progress" && !line.human.includes(" 100% ")
      if (isStep && stderr.isTTY) return hasProgress ? undefined : draw(`${line.actor}: ${line.human}`)
      flush()
      clear()
      freshLine()
      const human = printable(line.human)
      if (line.action === doneLine().action) return stderr.write(`${lineOf({ ...line, human })}\n`)
      const said = line.level === "error" ? paint("red", human) : human
      stderr.write(paint(colours[line.actor], `${line.actor}:`), " ", said, "\n")
    },
    token: (text) => {
      pending += text
    },
    note: (heard) => {
      if (heard.event !== "progress") return
      hasProgress = true
      draw(liveText(heard.data))
    },
    flush,
    close: () => {
      flush()
      clear()
      freshLine()
    }
  }
}

/**
 * `now` gives milliseconds since 1970, for the lines that start here. `raw`: the answer byte for byte, to a terminal too.
 */
export const makeRenderer = (terminal: Terminal["Type"], format: Format, now: () => number, raw = false): Renderer =>
  remembering(
    format === "json" ? makeJson(terminal.stdout, now) : makeText(terminal, { quiet: format === "quiet", raw })
  )
