/** What the records so far add up to: what an inspector that comes now has to know, as records again. */
import type { InspectRecord } from "../../machines/vocabulary/inspect.ts"

/** what is told by a hive is not ours: it cannot fill our memory */
const entriesMax = 16_384
/** jobs that ended stay for a while */
const jobsMax = 200

type Actor = Extract<InspectRecord, { readonly kind: "actor" }>

export class Present {
  /** by kind, daemon and place, in the order in which they were first told */
  private readonly entries = new Map<string, InspectRecord>()
  private readonly actors = new Map<string, Actor>()
  private readonly jobs = new Map<string, InspectRecord>()

  records(): ReadonlyArray<InspectRecord> {
    const told = [...this.entries.values()]
    const isPlace = ({ kind }: InspectRecord) => kind === "trace" || kind === "daemon"
    return [
      ...told.filter(isPlace),
      ...this.actors.values(),
      ...told.filter((record) => !isPlace(record)),
      ...this.jobs.values()
    ]
  }

  add(record: InspectRecord): void {
    switch (record.kind) {
      case "trace":
        return void this.entries.set("trace", record)
      case "daemon":
        if (record.state === "down") this.forget(record.daemon)
        return this.keep(this.entries, `daemon ${record.daemon}`, record)
      case "actor":
        return this.keep(this.actors, placeOf(record), record)
      case "snapshot": {
        const actor = this.actors.get(placeOf(record))
        if (actor !== undefined) this.actors.set(placeOf(record), { ...actor, snapshot: record.snapshot })
        return
      }
      case "vitals":
        return this.keep(this.entries, `vitals ${placeOf(record)}`, record)
      case "exit":
        this.actors.delete(placeOf(record))
        return void this.entries.delete(`vitals ${placeOf(record)}`)
      case "view":
        return this.addView(record)
      default:
      // what happened, not what is
    }
  }

  private addView(record: Extract<InspectRecord, { readonly kind: "view" }>): void {
    const key = `${record.of} ${record.id}`
    if (record.view === null) return void this.entries.delete(key)
    if (record.of !== "job") return this.keep(this.entries, key, record)
    this.jobs.delete(key)
    this.jobs.set(key, record)
    const [oldest] = this.jobs.keys()
    if (this.jobs.size > jobsMax && oldest !== undefined) this.jobs.delete(oldest)
  }

  private keep<A extends InspectRecord>(among: Map<string, A>, key: string, record: A): void {
    if (among.size < entriesMax || among.has(key)) among.set(key, record)
  }

  private forget(daemon: string): void {
    for (const among of [this.entries, this.actors])
      for (const [key, record] of among) if (record.kind !== "view" && isOf(record, daemon)) among.delete(key)
  }
}

const isOf = (record: InspectRecord, daemon: string): boolean => "daemon" in record && record.daemon === daemon

const placeOf = ({ daemon, path }: { readonly daemon: string; readonly path: string }): string => `${daemon} ${path}`
