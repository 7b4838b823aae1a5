/**
 * The durable events of a job, read until it ends. Where the connection breaks it is made again, and says which event was
 * seen last, so that nothing is lost or comes twice while a worker, a hive or the queen is killed.
 */
import { callEvents, Refused } from "../kit/call.ts"
import { type Fields, text } from "../kit/fields.ts"

export interface JobListener {
  readonly narration: (line: string) => void
  readonly token: (text: string) => void
  readonly failover: () => void
  readonly done: (data: Fields) => void
  /** it ended otherwise */
  readonly ended: (how: "failed" | "stopped", why: string) => void
  /** the connection was lost, or is there again */
  readonly connected: (is: boolean) => void
}

const usualPauseMs = 1000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Of an answer that nobody will tell of any more, why. */
const lostBy = (error: unknown): string | undefined => {
  if (!(error instanceof Refused)) return undefined
  if (error.status === 404) return "the queen does not know this answer any more"
  return error.status === 401 || error.status === 403 ? error.message : undefined
}

/** Gives what ends the reading. Events begin with the first one: what was kept of the answer is written anew. */
export const readJob = (job: string, listener: JobListener, pauseMs = usualPauseMs): (() => void) => {
  const reading = new AbortController()
  const { signal } = reading
  let last = ""
  const end = (tell: () => void) => {
    reading.abort()
    tell()
  }
  const heard = (name: string, data: Fields, id: string) => {
    if (signal.aborted) return
    if (id !== "") last = id
    if (name === "narration") listener.narration(text(data["human"]))
    else if (name === "token") listener.token(text(data["t"]))
    else if (name === "failover") listener.failover()
    else if (name === "done") end(() => listener.done(data))
    else if (name === "cancelled") end(() => listener.ended("stopped", ""))
    else if (name === "error") end(() => listener.ended("failed", text(data["message"]) || "the answer failed"))
  }
  const read = async () => {
    const path = `/jobs/${encodeURIComponent(job)}/events`
    while (!signal.aborted) {
      try {
        await callEvents("GET", path, heard, { after: last, signal, opened: () => listener.connected(true) })
      } catch (error) {
        const why = signal.aborted ? undefined : lostBy(error)
        if (why !== undefined) return end(() => listener.ended("failed", why))
      }
      if (signal.aborted) return
      listener.connected(false)
      await pause(pauseMs)
    }
  }
  void read()
  return () => reading.abort()
}
