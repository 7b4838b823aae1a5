/** `rbee logs`: the JSON lines of the daemons' log files, readable, merged by time, and followed if asked. */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { printable } from "../../../layers/terminal/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Context } from "../spec.ts"
import { isObject } from "../../../machines/formats/json/is-object.ts"

const roles = ["queen", "hive", "worker"]
const followMs = 200
/** what the name of a log that was put aside ends with */
const aside = ".1"
const isCopy = (file: string): boolean => file.endsWith(aside)
/** read from the end of each file: enough for many hundred lines */
const tailBytes = 512 * 1024

interface Entry {
  /** what lines of several files are merged by; a line without a time belongs to the one before it */
  readonly at: string
  readonly text: string
}

const plain = (value: unknown): string =>
  typeof value === "string" ? value : Array.isArray(value) ? value.map(plain).join(" ") : (JSON.stringify(value) ?? "")

/** members of a line that are shown at their own place, or not at all */
const placed = new Set(["timestamp", "logLevel", "level", "message", "annotations", "spans", "fiberId", "cause"])

/** One line of a log; what is no JSON (a crash of the runtime) is shown as it is. */
export const readable = (line: string, from: string, before: string): Entry => {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch {
    parsed = undefined
  }
  if (!isObject(parsed)) return { at: before, text: `${from}: ${printable(line)}` }
  const at = typeof parsed["timestamp"] === "string" ? parsed["timestamp"] : before
  const level = plain(parsed["logLevel"] ?? parsed["level"] ?? "INFO").toUpperCase()
  const extra = { ...(isObject(parsed["annotations"]) ? parsed["annotations"] : {}) }
  for (const [key, value] of Object.entries(parsed)) if (!placed.has(key)) extra[key] = value
  const fields = Object.entries(extra).map(([key, value]) => ` ${key}=${plain(value)}`)
  const cause = plain(parsed["cause"] ?? "")
  const text = `${at} ${level.padEnd(5)} ${from}: ${plain(parsed["message"] ?? "")}${fields.join("")}${cause === "" ? "" : ` ${cause}`}`
  return { at, text: printable(text) }
}

interface Reading {
  offset: number
  partial: string
  at: string
}

const filesOf = (folder: string, role: string | undefined): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".log"))
      .filter((name) => role === undefined || name === `${role}.log` || name.startsWith(`${role}-`))
      .sort()
  } catch {
    return []
  }
}

/** What was added to the file since the last reading, as entries. */
const readMore = (file: string, from: string, reading: Reading): ReadonlyArray<Entry> => {
  let handle: number
  try {
    handle = openSync(file, "r")
  } catch {
    return []
  }
  try {
    const { size } = statSync(file)
    // put aside when it was large, and begun anew: what was not read yet is in the copy
    if (size < reading.offset) {
      const rest = isCopy(file) ? [] : readMore(`${file}${aside}`, from, reading)
      reading.offset = 0
      reading.partial = ""
      return [...rest, ...readMore(file, from, reading)]
    }
    const buffer = Buffer.alloc(Math.min(size - reading.offset, 4 * tailBytes))
    const bytes = readSync(handle, buffer, 0, buffer.length, reading.offset)
    reading.offset += bytes
    // latin1 keeps bytes apart until a line is whole; then it is UTF-8
    const lines = (reading.partial + buffer.toString("latin1", 0, bytes)).split("\n")
    reading.partial = lines.pop() ?? ""
    return lines.flatMap((line) => {
      const text = Buffer.from(line, "latin1").toString("utf8").trim()
      if (text === "") return []
      const entry = readable(text, from, reading.at)
      reading.at = entry.at
      return [entry]
    })
  } finally {
    closeSync(handle)
  }
}

/** The last lines of a log that was put aside. */
const readEnd = (file: string, from: string): ReadonlyArray<Entry> => {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  if (size === undefined) return []
  const offset = Math.max(size, tailBytes) - tailBytes
  const entries = readMore(file, from, { offset, partial: "", at: "" })
  return offset > 0 ? entries.slice(1) : entries
}

const makeReader = (folder: string, role: string | undefined) => {
  const readings = new Map<string, Reading>()
  return (): ReadonlyArray<Entry> =>
    filesOf(folder, role)
      .flatMap((name) => {
        const file = join(folder, name)
        const known = readings.get(name)
        const reading = known ?? { offset: 0, partial: "", at: "" }
        if (known === undefined) {
          reading.offset = Math.max(0, statSync(file, { throwIfNoEntry: false })?.size ?? 0, tailBytes) - tailBytes
          readings.set(name, reading)
        }
        const cut = known === undefined && reading.offset > 0
        const before = known === undefined && !cut ? readEnd(`${file}${aside}`, name.replace(/\.log$/, "")) : []
        const entries = readMore(file, name.replace(/\.log$/, ""), reading)
        // the first line behind an arbitrary offset is half a line
        return cut ? entries.slice(1) : [...before, ...entries]
      })
      .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
}

export const logs = (
  role: string | undefined,
  options: { readonly follow: boolean; readonly lines: number | undefined },
  context: Context
): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const { terminal, settings } = context
    if (role !== undefined && !roles.includes(role))
      return yield* Effect.fail(
        rbeeError("INVALID_REQUEST", `there are no logs of '${printable(role)}'`, `Known: ${roles.join(", ")}.`, {
          usage: true
        })
      )
    const count = options.lines ?? 100
    const read = makeReader(settings.home.logs, role)
    const print = (entries: ReadonlyArray<Entry>) =>
      void (entries.length === 0 || terminal.stdout.write(entries.map((entry) => `${entry.text}\n`).join("")))
    const first = read()
    print(count === 0 ? [] : first.slice(-count))
    if (!options.follow) {
      if (first.length === 0) terminal.stderr.write(`no logs in ${settings.home.logs}\n`)
      return 0
    }
    const follow = Effect.forever(
      Effect.delay(
        Effect.sync(() => print(read())),
        followMs
      )
    )
    return yield* Effect.raceFirst(follow, Effect.raceFirst(terminal.interrupted, Effect.as(terminal.closed, 0)))
  })
