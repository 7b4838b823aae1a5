/** The frame: what is connected, which view, and the time line. */
import { useEffect, useState } from "preact/hooks"
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
  const [, redraw] = useState(0)
  useEffect(() => store.subscribe(() => redraw((count) => count + 1)), [store])
  const { connection, problem, recording, route, world } = store
  const actor = world.actors.get(route.actor ?? "")
  const violations = recording.marks.filter(({ kind }) => kind === "violation")
  const { header } = world
  return (
    <div class={`app ${connection}`}>
      <header class="top">
        <h1>
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
            <path d="M16 1l13 7.5v15L16 31 3 23.500v-15z" />
          </svg>
          rbee
        </h1>
        <nav>
          {views.map((view) => (
            <ViewTab key={view} view={view} store={store} />
          ))}
        </nav>
        <span class="grow" />
        {header?.source === "simulation" ? <span class="chip">simulation, seed {header.seed ?? "unknown"}</span> : null}
        {world.lost === 0 ? null : <span class="chip chip-degraded">{world.lost} records lost</span>}
        <span class={`connection ${connection}`} data-connection={connection}>
          {store.isLive || connection === "file" ? says[connection] : "paused"}
        </span>
      </header>
      {problem === undefined ? null : (
        <p class="problem" role="alert">
          {problem} <button onClick={() => store.fail(undefined)}>✕</button>
        </p>
      )}
      {violations.map(({ index, text }) => (
        <p class="problem violation" role="alert" key={index} data-index={index}>
          <b>broken invariant</b> {text}
          <button onClick={() => store.seek(index + 1)}>show</button>
        </p>
      ))}
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
    <kbd>{views.indexOf(view) + 1}</kbd> {view}
  </button>
)
