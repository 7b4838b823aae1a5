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
