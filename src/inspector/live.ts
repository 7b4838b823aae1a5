/** The connection to the daemon that served the page. */
import { parseRecord } from "./recording.ts"
import type { Store } from "./store.ts"

/** Follows the cluster; the browser connects again by itself, and the stream then begins with a fresh header. */
export const connect = (store: Store): void => {
  const source = new EventSource("/inspect/events")
  const state = (connection: "live" | "broken") => () => {
    if (store.connection === "file") return source.close()
    store.connection = connection
    store.changed()
  }
  source.addEventListener("open", state("live"))
  source.addEventListener("error", state("broken"))
  source.addEventListener("message", ({ data }) => {
    if (store.connection === "file") return
    const record = typeof data === "string" ? parseRecord(data) : undefined
    if (record !== undefined) store.add(record)
  })
}

/** One of the operator's calls; throws the daemon's own words if it refuses. */
export const call = async (method: "POST" | "DELETE", path: string): Promise<void> => {
  const response = await fetch(path, { method })
  if (response.ok) return
  const body: unknown = await response.json().catch(() => undefined)
  throw new Error(messageOf(body) ?? `${response.status} ${response.statusText}`)
}

const messageOf = (body: unknown): string | undefined => {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined
  const { error } = body
  return typeof error === "object" && error !== null && "message" in error ? String(error.message) : undefined
}
