/** All records of a trace, and the world after any of them: checkpoints make every moment a short way off. */
import type { InspectRecord } from "../machines/vocabulary/inspect.ts"
import { apply, copyWorld, emptyWorld, type World } from "./model.ts"
import { isObject } from "../machines/formats/json/is-object.ts"

const everyRecords = 500
/** The oldest are forgotten beyond this: half an hour of a busy cluster. */
const recordsMax = 200_000

export interface Mark {
  readonly index: number
  readonly kind: "violation" | "fault" | "restart"
  readonly text: string
}

export class Recording {
  records: Array<InspectRecord> = []
  /** points on the time line that are worth a jump */
  marks: Array<Mark> = []
  /** after the last record */
  readonly now: World = emptyWorld()
  private checkpoints: Array<World> = [emptyWorld()]

  add(record: InspectRecord): void {
    if (this.records.length >= recordsMax) this.forget()
    const mark = markOf(record, this.records.length)
    if (mark !== undefined) this.marks.push(mark)
    this.records.push(record)
    apply(this.now, record)
    if (this.records.length % everyRecords === 0) this.checkpoints.push(copyWorld(this.now))
  }

  /** The world after the first `count` records. */
  at(count: number): World {
    const checkpoint = Math.min(Math.floor(count / everyRecords), this.checkpoints.length - 1)
    const world = copyWorld(this.checkpoints[checkpoint] ?? emptyWorld())
    for (let index = checkpoint * everyRecords; index < count; index++) {
      const record = this.records[index]
      if (record !== undefined) apply(world, record)
    }
    return world
  }

  /** How many records there are up to a time, milliseconds since 1970. */
  countAt(time: number): number {
    let low = 0
    let high = this.records.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.records[middle]?.at ?? 0) <= time) low = middle + 1
      else high = middle
    }
    return low
  }

  timeOf(count: number): number {
    return this.records[Math.max(0, Math.min(count, this.records.length) - 1)]?.at ?? 0
  }

  toText(): string {
    return `${this.records.map((record) => JSON.stringify(record)).join("\n")}\n`
  }

  /** The first half goes; what it led to is the new beginning. */
  private forget(): void {
    const gone = Math.floor(this.checkpoints.length / 2) * everyRecords
    this.records = this.records.slice(gone)
    this.checkpoints = this.checkpoints.slice(gone / everyRecords)
    this.marks = this.marks.flatMap((mark) => (mark.index < gone ? [] : [{ ...mark, index: mark.index - gone }]))
  }
}

const markOf = (record: InspectRecord, index: number): Mark | undefined => {
  if (record.kind === "violation") return { index, kind: "violation", text: `${record.invariant}: ${record.message}` }
  if (record.kind === "fault") return { index, kind: "fault", text: record.what }
  if (record.kind === "supervision" && record.context === "restarting")
    return { index, kind: "restart", text: `${record.path}: ${record.child} restarts (${record.reason})` }
  return undefined
}

/** Reads a trace file. Throws an Error that names the first bad line. */
export const readTrace = (text: string): Recording => {
  const recording = new Recording()
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return
    const record = parseRecord(line)
    if (record === undefined || (index === 0 && record.kind !== "trace"))
      throw new Error(`line ${index + 1} is no record of a trace`)
    recording.add(record)
  })
  if (recording.records.length === 0) throw new Error("the file is empty")
  return recording
}

/** Undefined where it is none. The queen and the simulator write by the schema; the page does not check it again. */
export const parseRecord = (line: string): InspectRecord | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) && typeof value["kind"] === "string" && typeof value["at"] === "number"
      ? // the fields of a kind are those of the vocabulary
        (value as InspectRecord)
      : undefined
  } catch {
    return undefined
  }
}
