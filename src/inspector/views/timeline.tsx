/** Jobs over time: a bar a phase, so that it shows where each job spent its time and where it moved. */
import { useState } from "preact/hooks"
import { clock, duration, lifeOfWord } from "../format.ts"
import type { JobShown } from "../model.ts"
import type { Store } from "../store.ts"

/** Time that is shown, milliseconds. */
const windows: ReadonlyArray<readonly [string, number]> = [
  ["10 s", 10_000],
  ["1 min", 60_000],
  ["10 min", 600_000],
  ["1 h", 3_600_000]
]
const rowsMax = 80

export const Timeline = ({ store }: { readonly store: Store }) => {
  const [width, setWidth] = useState(60_000)
  const { world } = store
  const to = store.now
  const from = to - width
  const jobs = [...world.jobs.values()]
    .filter(({ phases }) => phases.length > 0 && (phases.at(-1)?.to ?? to) >= from)
    .toReversed()
    .slice(0, rowsMax)
  const selected = world.jobs.get(store.route.job ?? "")
  const ticks = Array.from({ length: 6 }, (_, index) => from + (width * index) / 5)
  return (
    <div class="timeline">
      <div class="toolbar">
        {windows.map(([name, ms]) => (
          <button key={name} class={ms === width ? "on" : ""} aria-pressed={ms === width} onClick={() => setWidth(ms)}>
            {name}
          </button>
        ))}
        <span class="legend">
          {["queued", "placing", "provisioning", "starting", "streaming", "degraded", "done", "failed"].map((state) => (
            <span key={state}>
              <i class={`bar-${state}`} /> {state === "degraded" ? "failing over" : state}
            </span>
          ))}
        </span>
      </div>
      <div class="lanes">
        <div class="ticks" aria-hidden="true">
          {ticks.map((at, index) => (
            <span key={index} style={{ left: `${(index / 5) * 100}%` }}>
              {clock(at).slice(0, 8)}
            </span>
          ))}
        </div>
        {jobs.length === 0 ? <p class="hint">No job within this time.</p> : null}
        {jobs.map((job) => (
          <Lane key={job.id} job={job} from={from} to={to} store={store} />
        ))}
      </div>
      {selected === undefined ? null : <JobDetails job={selected} store={store} />}
    </div>
  )
}

interface LaneProps {
  readonly job: JobShown
  readonly from: number
  readonly to: number
  readonly store: Store
}

const Lane = ({ from, job, store, to }: LaneProps) => {
  const { id, phases, view } = job
  const width = to - from
  const last = phases.at(-1)
  return (
    <button
      class={`lane ${store.route.job === id ? "selected" : ""}`}
      data-job={id}
      data-state={last?.state}
      onClick={() => store.go({ job: store.route.job === id ? undefined : id })}
    >
      <span class="lane-name">{id.replace(/^job-/, "").slice(0, 12)}</span>
      <span class="lane-bars">
        {phases.map((phase, index) => {
          const start = Math.max(from, phase.from)
          const end = Math.min(to, phase.to ?? to)
          if (end < from || (end === start && phase.to !== phase.from)) return null
          const left = ((start - from) / width) * 100
          const size = ((end - start) / width) * 100
          return (
            <i
              key={index}
              class={`bar bar-${phase.state} ${phase.to === phase.from ? "point" : ""}`}
              style={{ left: `${left}%`, width: `${size}%` }}
              title={`${phase.state}: ${duration((phase.to ?? to) - phase.from)}`}
            />
          )
        })}
      </span>
      <span class="lane-facts">
        {view === undefined ? null : (
          <>
            <b class="tokens">{view.tokens}</b> tokens
            {view.failovers === 0 ? null : <em> · {view.failovers} failover</em>}
          </>
        )}
      </span>
    </button>
  )
}

const JobDetails = ({ job: { id, lines, phases, view }, store }: { readonly job: JobShown; readonly store: Store }) => {
  const placement = view?.placement
  const facts: ReadonlyArray<readonly [string, string | undefined]> = [
    ["model", view?.model],
    ["state", view?.state],
    ["tokens", view === undefined ? undefined : String(view.tokens)],
    ["failovers", view === undefined ? undefined : String(view.failovers)],
    ["placed after", ms(view?.timings.placed_ms)],
    ["first token after", ms(view?.timings.first_token_ms)],
    ["whole answer after", ms(view?.timings.total_ms)],
    [
      "ended",
      view?.finish_reason ?? (view?.error === undefined ? undefined : `${view.error.code}: ${view.error.message}`)
    ]
  ]
  const actor = [...store.world.actors.values()].find(({ child, machine }) => machine === "job" && child === id)?.key
  return (
    <section class="details" aria-label={`job ${id}`}>
      <header>
        <h2>{id}</h2>
        <span class={`chip chip-${lifeOfWord(phases.at(-1)?.state ?? "")}`}>{phases.at(-1)?.state}</span>
        <span class="grow" />
        {actor === undefined ? null : (
          <button class="action" onClick={() => store.go({ view: "tree", actor })}>
            chart
          </button>
        )}
        <button class="close" aria-label="close" onClick={() => store.go({ job: undefined })}>
          ✕
        </button>
      </header>
      <div class="facts">
        <div class="column">
          <dl>
            {facts.map(([name, value]) =>
              value === undefined ? null : (
                <>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </>
              )
            )}
          </dl>
        </div>
        <div class="column">
          <h3>placement</h3>
          {placement === undefined ? (
            <p class="hint">not placed</p>
          ) : (
            <ul class="placement">
              <li class="won">
                <b>
                  {placement.device} on {placement.hive}
                </b>{" "}
                {placement.worker ?? ""}
              </li>
              {placement.losers.map((loser) => (
                <li key={`${loser.hive} ${loser.device}`}>
                  {loser.device} on {loser.hive}: <span>{loser.verdict}</span>
                </li>
              ))}
              {placement.others?.map(({ count, verdict }) => (
                <li key={verdict}>
                  {count} more: <span>{verdict}</span>
                </li>
              ))}
            </ul>
          )}
        </div>
        <div class="column wide">
          <h3>narration</h3>
          <ol class="narration">
            {lines.map((line, index) => (
              <li key={index} class={line.level}>
                <time>{clock(line.at)}</time> <b>{line.actor}</b> {line.human}
              </li>
            ))}
          </ol>
        </div>
      </div>
    </section>
  )
}

const ms = (value: number | undefined): string | undefined => (value === undefined ? undefined : duration(value))
