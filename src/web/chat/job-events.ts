/**
 * The durable events of a job, read until it ends. The browser connects again by itself and says which event it has seen
 * last, so that nothing is lost or comes twice while a worker, a hive or the queen is killed; where it gives up (a proxy
 * that answers something else), it is asked anew.
 */
import { isObject } from "../../machines/formats/json/is-object.ts"
import { call, Refused } from "../kit/call.ts"

export interface JobListener {
  readonly narration: (line: string) => void
  readonly token: (text: string) => void
  readonly failover: () => void
  readonly done: (data: Readonly<Record<string, unknown>>) => void
  /** it ended otherwise */
  readonly ended: (how: "failed" | "stopped", why: string) => void
  /** the connection was lost, or is there again */
  readonly connected: (is: boolean) => void
}

const againMs = 1000

const dataOf = (event: Event): Readonly<Record<string, unknown>> => {
  if (!(event instanceof MessageEvent) || typeof event.data !== "string") return {}
  const data: unknown = JSON.parse(event.data)
  return isObject(data) ? data : {}
}

/** Gives what ends the reading. Events begin with the first one: what was kept of the answer is written anew. */
export const readJob = (job: string, listener: JobListener): (() => void) => {
  let source: EventSource | undefined
  let again: ReturnType<typeof setTimeout> | undefined
  let last = ""
  let isOver = false
  const end = () => {
    isOver = true
    source?.close()
    clearTimeout(again)
  }
  const on = (name: string, heard: (data: Readonly<Record<string, unknown>>) => void) =>
    source?.addEventListener(name, (event) => {
      // an error of the connection has the name of an event of the job, but no data
      if (!(event instanceof MessageEvent) || isOver) return
      last = event.lastEventId
      heard(dataOf(event))
    })
  const atLast =
    (heard: (data: Readonly<Record<string, unknown>>) => void) => (data: Readonly<Record<string, unknown>>) => {
      end()
      heard(data)
    }
  const path = `/jobs/${encodeURIComponent(job)}`
  const connect = () => {
    source = new EventSource(`${path}/events${last === "" ? "" : `?last_event_id=${last}`}`)
    source.addEventListener("open", () => listener.connected(true))
    on("narration", ({ human }) => listener.narration(String(human ?? "")))
    on("token", ({ t }) => listener.token(String(t ?? "")))
    on("failover", () => listener.failover())
    on("done", atLast(listener.done))
    on(
      "cancelled",
      atLast(() => listener.ended("stopped", ""))
    )
    on(
      "error",
      atLast(({ message }) => listener.ended("failed", String(message ?? "the answer failed")))
    )
    source.addEventListener("error", (event) => {
      if (isOver || event instanceof MessageEvent) return
      listener.connected(false)
      // otherwise the browser tries again by itself
      if (source?.readyState === EventSource.CLOSED) void lookAgain()
    })
  }
  const lookAgain = async () => {
    try {
      await call("GET", path)
    } catch (error) {
      if (isOver) return
      if (error instanceof Refused && error.status === 404)
        return atLast(() => listener.ended("failed", "the queen does not know this answer any more"))({})
    }
    if (!isOver) again = setTimeout(connect, againMs)
  }
  connect()
  return end
}
