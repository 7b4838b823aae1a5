/** The page's state: which recording, which moment of it, what is selected. Views read it and are told of changes. */
import type { InspectRecord } from "../machines/vocabulary/inspect.ts"
import { Observed } from "../web/kit/page/observed.ts"
import type { World } from "./model.ts"
import { Recording } from "./recording.ts"

export type View = "tree" | "timeline" | "cluster"
export const views: ReadonlyArray<View> = ["tree", "timeline", "cluster"]

/** What the address keeps: a link shows the same actor at the same moment. */
export interface Route {
  readonly view: View
  readonly actor: string | undefined
  readonly job: string | undefined
  /** milliseconds since 1970; undefined: now */
  readonly at: number | undefined
}

export type Connection = "connecting" | "live" | "broken" | "file"

export class Store extends Observed {
  recording = new Recording()
  connection: Connection = "connecting"
  route: Route = { view: "tree", actor: undefined, job: undefined, at: undefined }
  /** records that are shown; undefined: all, as they come */
  position: number | undefined
  playing = false
  speed = 1
  problem: string | undefined
  private shown: { readonly count: number; readonly of: Recording; readonly world: World } | undefined
  private scheduled = false
  private heardAt = 0

  /** Views are drawn at most once a frame, and ten times a second at most. */
  override changed(): void {
    if (this.scheduled) return
    this.scheduled = true
    const tell = () => {
      this.scheduled = false
      super.changed()
    }
    setTimeout(() => requestAnimationFrame(tell), 80)
  }

  get isLive(): boolean {
    return this.position === undefined
  }

  /** The world at the moment that is shown. */
  get world(): World {
    if (this.position === undefined) return this.recording.now
    const { position: count, recording: of } = this
    if (this.shown?.count !== count || this.shown.of !== of) this.shown = { count, of, world: of.at(count) }
    return this.shown.world
  }

  /** The time of the trace; while it is live it goes on between records too. */
  get now(): number {
    const { at } = this.world
    return this.isLive && this.connection === "live" ? at + performance.now() - this.heardAt : at
  }

  add(record: InspectRecord): void {
    this.heardAt = performance.now()
    this.recording.add(record)
    this.changed()
  }

  /** Shows a recorded trace; it begins at its first violation, if there is one. */
  open(recording: Recording): void {
    this.recording = recording
    this.connection = "file"
    this.playing = false
    const violation = recording.marks.find(({ kind }) => kind === "violation")
    const { at } = this.route
    this.position =
      at !== undefined
        ? recording.countAt(at)
        : violation === undefined
          ? recording.records.length
          : violation.index + 1
    this.changed()
  }

  seek(count: number): void {
    this.position = Math.max(0, Math.min(count, this.recording.records.length))
    this.changed()
  }

  /** Stops there; the address leads there again. */
  show(count: number): void {
    this.playing = false
    this.seek(count)
    this.go({ at: this.recording.timeOf(count) })
  }

  /** Back to what happens now. */
  follow(): void {
    this.playing = false
    this.position = this.connection === "file" ? this.recording.records.length : undefined
    this.go({ at: undefined })
  }

  pause(): void {
    this.show(this.position ?? this.recording.records.length)
  }

  play(): void {
    if (this.position === undefined) return
    if (this.position >= this.recording.records.length) this.position = 0
    this.playing = true
    let last = performance.now()
    let time = this.recording.timeOf(this.position)
    const frame = (now: number): void => {
      if (!this.playing || this.position === undefined) return
      time += (now - last) * this.speed
      last = now
      const next = this.recording.countAt(time)
      if (next > this.position) this.seek(next)
      if (this.position >= this.recording.records.length) this.playing = false
      this.changed()
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
    this.changed()
  }

  go(patch: Partial<Route>): void {
    this.route = { ...this.route, ...patch }
    const hash = hashOf(this.route)
    if (hash !== location.hash) history.replaceState(null, "", hash)
    this.changed()
  }

  fail(problem: string | undefined): void {
    this.problem = problem
    this.changed()
  }
}

const hashOf = ({ actor, at, job, view }: Route): string => {
  const query = new URLSearchParams({ view })
  if (actor !== undefined) query.set("actor", actor)
  if (job !== undefined) query.set("job", job)
  if (at !== undefined) query.set("at", String(at))
  return `#${query.toString()}`
}

export const routeOf = (hash: string): Route => {
  const query = new URLSearchParams(hash.replace(/^#/, ""))
  const view = views.find((one) => one === query.get("view")) ?? "tree"
  const at = Number(query.get("at") ?? Number.NaN)
  return {
    view,
    actor: query.get("actor") ?? undefined,
    job: query.get("job") ?? undefined,
    at: Number.isFinite(at) ? at : undefined
  }
}
