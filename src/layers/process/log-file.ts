/** Logs of children and daemons: written a few lines at once, appended to, and put aside once (`.1`) when they are large. */
import {
  closeSync,
  copyFileSync,
  createWriteStream,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  type WriteStream
} from "node:fs"
import { dirname, join } from "node:path"

/** bytes at which a log is put aside */
const rotateAt = 10_000_000

/** Makes the folder and puts a large log aside. Logs are best effort: a failure here is left to the open. */
export const prepareLog = (file: string): void => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    if (statSync(file).size >= rotateAt) renameSync(file, `${file}.1`)
  } catch {
    // not there yet
  }
}

/** An appending stream, whose failure (a full disk) never reaches the process that is logged. */
export const openLog = (file: string): WriteStream => {
  prepareLog(file)
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 })
  stream.on("error", () => stream.destroy())
  return stream
}

/** The log of a child: where it was deleted, or its disk was full, what is said next goes to a new one. */
export class ChildLog {
  private readonly file: string
  private stream: WriteStream
  private fd: number | undefined

  constructor(file: string) {
    this.file = file
    this.stream = this.open()
  }

  /** Undefined: it is taken; otherwise the stream that is behind with it. */
  write(text: string): WriteStream | undefined {
    if (!this.isThere()) {
      this.stream.end()
      try {
        this.stream = this.open()
      } catch {
        // a full or broken disk: logs are best effort
      }
    }
    return !this.stream.writable || this.stream.write(text) ? undefined : this.stream
  }

  end(): void {
    this.stream.end()
  }

  private open(): WriteStream {
    this.fd = undefined
    const stream = openLog(this.file)
    stream.once("open", (fd: number) => {
      this.fd = fd
    })
    return stream
  }

  private isThere(): boolean {
    return this.stream.writable && (this.fd === undefined || fstatSync(this.fd).nlink > 0)
  }
}

const sizeAt = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.size

/**
 * Puts a log aside while others write to it: all of them append, so what they write next is the beginning of the empty
 * file. A line that comes between copying and emptying is lost.
 */
const putAside = (file: string): void => {
  if ((sizeAt(file) ?? 0) < rotateAt) return
  copyFileSync(file, `${file}.1`)
  truncateSync(file)
}

const lookEveryMs = 1000

/**
 * Keeps the logs of a daemon that runs for months: its own, to which its stderr goes, and those of its children, which
 * begin with `children`. Where its own was deleted, what it says goes to a new one.
 */
export const keepLogs = (file: string, children: string | undefined): void => {
  const folder = dirname(file)
  const isOurs = () => {
    const [own, named] = [fstatSync(2), statSync(file, { throwIfNoEntry: false })]
    return own.isFile() && (named === undefined ? own.nlink === 0 : own.ino === named.ino && own.dev === named.dev)
  }
  let stream: WriteStream | undefined
  const tidy = (): void => {
    if (sizeAt(file) === undefined && (stream !== undefined || isOurs())) {
      stream?.end()
      const fresh = openLog(file)
      stream = fresh
      process.stderr.write = (text: string | Uint8Array) => fresh.write(text)
    } else if (stream !== undefined || isOurs()) putAside(file)
    if (children === undefined) return
    for (const name of readdirSync(folder))
      if (name.startsWith(children) && name.endsWith(".log")) putAside(join(folder, name))
  }
  setInterval(() => {
    try {
      tidy()
    } catch {
      // a full or broken disk: logs are best effort
    }
  }, lookEveryMs).unref()
}

const tailBytes = 512 * 1024

/** The end of a log, also of a large one. Empty where there is none. */
export const lastLines = (path: string, lines: number): string => {
  if (!existsSync(path) || lines <= 0) return ""
  const file = openSync(path, "r")
  try {
    const { size } = fstatSync(file)
    const from = Math.max(0, size - tailBytes)
    const buffer = Buffer.alloc(size - from)
    readSync(file, buffer, 0, buffer.length, from)
    const all = buffer
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
    // the first line behind an arbitrary offset is half a line
    return all
      .slice(from > 0 ? 1 : 0)
      .slice(-lines)
      .join("\n")
  } finally {
    closeSync(file)
  }
}

/** milliseconds */
const gatherMs = 50
/** characters that wait at most */
const mostWaiting = 16 * 1024

/**
 * The lines that a daemon says. To write one takes as long as a tenth of a small request, and again with whoever reads
 * it: so lines wait a moment for others. What warns waits for nobody, and takes along what came before.
 */
export class LogLines {
  private waiting = ""
  private timer: NodeJS.Timeout | undefined
  private readonly write: (text: string) => void

  constructor(write: (text: string) => void) {
    this.write = write
  }

  readonly add = (line: string, isUrgent: boolean): void => {
    this.waiting += `${line}\n`
    if (isUrgent || this.waiting.length > mostWaiting) this.flush()
    else this.timer ??= setTimeout(this.flush, gatherMs)
  }

  readonly flush = (): void => {
    clearTimeout(this.timer)
    this.timer = undefined
    const text = this.waiting
    this.waiting = ""
    if (text !== "") this.write(text)
  }
}

/** On stderr, which the spawner sends to the log file; what still waits is written when the process ends. */
export const stderrLines = (): LogLines => {
  // looked up each time: a log that was deleted is written elsewhere (`keepLogs`)
  const lines = new LogLines((text) => void process.stderr.write(text))
  process.on("exit", lines.flush)
  return lines
}
