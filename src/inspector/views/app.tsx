/** The frame: what is connected, which view, and the time line. */
import { Brand } from "../../web/kit/page/brand.tsx"
import { useChanges } from "../../web/kit/page/observed.ts"
import { type Store, type View, views } from "../store.ts"
import { ActorPanel } from "./actor.tsx"
import { Cluster } from "./cluster.tsx"
import { Replay } from "./replay.tsx"
import { Timeline } from "./timeline.tsx"
import { Tree } from "./tree.tsx"

const says: Readonly<Record<Store["connection"], string>> = {
  connecting: "connecting…",
  live: "live",
  broken: "no connection; trying again",
  file: "recorded"
}

export const App = ({ store }: { readonly store: Store }) => {
  useChanges(store)
  const { connection, problem, recording, route, world } = store
  const actor = world.actors.get(route.actor ?? "")
  const violations = recording.marks.filter(({ kind }) => kind === "violation")
  const { header } = world
  return (
    <div class={`app ${connection}`}>
      <header class="top">
        <Brand />
        <nav aria-label="Views">
          {views.map((view) => (
            <ViewTab key={view} view={view} store={store} />
          ))}
        </nav>
        <span class="grow" />
        {header?.source === "simulation" ? <span class="chip">simulation, seed {header.seed ?? "unknown"}</span> : null}
        {world.lost === 0 ? null : <span class="chip as-degraded">{world.lost} records lost</span>}
        <span class={`connection ${connection}`} data-connection={connection}>
          {store.isLive || connection === "file" ? says[connection] : "paused"}
        </span>
      </header>
      <div class="alerts">
        {problem === undefined ? null : (
          <p class="problem" role="alert">
            {problem}
            <button aria-label="close" onClick={() => store.fail(undefined)}>
              ✕
            </button>
          </p>
        )}
        {violations.map(({ index, text }) => (
          <p class="problem violation" role="alert" key={index} data-index={index}>
            <span>
              <b>broken invariant</b> {text}
            </span>
            <button onClick={() => store.show(index + 1)}>show</button>
          </p>
        ))}
      </div>
      <main class={`view-${route.view}`}>
        {route.view === "tree" ? (
          <>
            <Tree store={store} />
            {actor === undefined ? (
              <p class="hint welcome">Choose an actor to see its chart, its timers and what happened to it.</p>
            ) : (
              <ActorPanel actor={actor} store={store} />
            )}
          </>
        ) : route.view === "timeline" ? (
          <Timeline store={store} />
        ) : (
          <Cluster store={store} />
        )}
      </main>
      <Replay store={store} />
    </div>
  )
}

const ViewTab = ({ store, view }: { readonly store: Store; readonly view: View }) => (
  <button
    class={store.route.view === view ? "on" : ""}
    aria-current={store.route.view === view ? "page" : undefined}
    onClick={() => store.go({ view })}
  >
    <kbd aria-hidden="true">{views.indexOf(view) + 1}</kbd> {view}
  </button>
)
