/** The inspector's page: follows the cluster that served it, or shows a trace. */
import { render } from "preact"
import { wordsOf } from "../web/kit/call.ts"
import { loadCharts } from "./charts.ts"
import { connect } from "./live.ts"
import { readTrace } from "./recording.ts"
import { routeOf, Store, views } from "./store.ts"
import { App } from "./views/app.tsx"

const store = new Store()
store.route = routeOf(location.hash)

addEventListener("keydown", (event) => {
  // there a key is a choice; no field of the page is written into
  if (event.target instanceof HTMLSelectElement || event.ctrlKey || event.metaKey || event.altKey) return
  const view = views[Number(event.key) - 1]
  if (view !== undefined) store.go({ view })
  else if (event.key === "l") store.follow()
  else if (event.key === "p") {
    if (store.playing || store.isLive) store.pause()
    else store.play()
  } else if (event.key === "Escape") store.go({ actor: undefined, job: undefined })
})
addEventListener("hashchange", () => {
  const route = routeOf(location.hash)
  store.route = route
  if (route.at === undefined) store.follow()
  else store.show(store.recording.countAt(route.at))
})

/** `rbee inspect FILE` serves a trace beside the page. */
const trace = async (): Promise<string | undefined> => {
  if (!new URLSearchParams(location.search).has("trace")) return undefined
  const response = await fetch("/inspect/trace")
  if (!response.ok) throw new Error(`the trace cannot be read: ${response.status}`)
  return response.text()
}

const start = async (): Promise<void> => {
  const root = document.getElementById("app")
  if (root === null) return
  await loadCharts()
  render(<App store={store} />, root)
  const text = await trace()
  if (text === undefined) connect(store)
  else store.open(readTrace(text))
  // ages and timers go on where nothing else happens
  setInterval(() => {
    if (store.isLive && store.connection === "live") store.changed()
  }, 1000)
}

start().catch((error: unknown) => store.fail(wordsOf(error)))
