/** Jobs over time: a bar a phase, so that it shows where each job spent its time and where it moved. */
import type { JSX } from "preact"
import { useState } from "preact/hooks"
import type { JobState } from "../../machines/vocabulary/job.ts"
import { duration } from "../../web/kit/amounts.ts"
import { clock, lifeOfWord } from "../format.ts"
import type { JobShown, Phase } from "../model.ts"
import { jobName } from "../names.ts"
import { type Span, spanName, spansOf } from "../spans.ts"
import type { Store } from "../store.ts"
import { Close } from "./close.tsx"

/** Time that is shown, milliseconds. */
const windows: ReadonlyArray<readonly [string, number]> = [
  ["10 s", 10_000],
  ["1 min", 60_000],
  ["10 min", 600_000],
  ["1 h", 3_600_000]
]
const rowsMax = 80
const ticks = 5
/** in the order in which a job goes through them */
const states: ReadonlyArray<JobState> = [
  "queued",
  "placing",
  "provisioning",
  "starting",
  "streaming",
  "degraded",
  "done",
  "failed",
  "cancelled"
]

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
  return (
    <div class="timeline">
      <div class="toolbar">
        {windows.map(([name, ms]) => (
          <button key={name} class={ms === width ? "on" : ""} aria-pressed={ms === width} onClick={() => setWidth(ms)}>
            {name}
          </button>
        ))}
        <Legend />
      </div>
      <div class="lanes" tabIndex={0} role="region" aria-label="jobs" onKeyDown={moveAmongLanes}>
        <div class="ticks" aria-hidden="true">
          {Array.from({ length: ticks }, (_, index) => (
            <span key={index} style={{ left: `${(index / ticks) * 100}%` }}>
              {clock(from + (width * index) / ticks).slice(0, 8)}
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

const Legend = () => (
  <span class="legend">
    {states.map((state) => (
      <span key={state}>
        <i class={`as-${state}`} /> {spanName(state)}
      </span>
    ))}
  </span>
)

/** From one lane to the next, as in a list; Tab does it as well. */
const moveAmongLanes = (event: JSX.TargetedKeyboardEvent<HTMLElement>): void => {
  const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0
  const lanes = [...event.currentTarget.querySelectorAll<HTMLElement>(".lane")]
  const next = lanes[lanes.findIndex((lane) => lane === document.activeElement) + by]
  if (by === 0 || next === undefined) return
  event.preventDefault()
  next.focus()
}

interface LaneProps {
  readonly job: JobShown
  readonly from: number
  readonly to: number
  readonly store: Store
}

const Lane = ({ from, job, store, to }: LaneProps) => {
  const { id, phases, view } = job
  const state = phases.at(-1)?.state ?? ""
  const isSelected = store.route.job === id
  return (
    <button
      class={`lane ${isSelected ? "selected" : ""}`}
      aria-expanded={isSelected}
      data-job={id}
      data-state={state}
      title={id}
      onClick={() => store.go({ job: isSelected ? undefined : id })}
    >
      <span class="lane-name">{jobName(job) ?? id}</span>
      <span class="unseen">, {spanName(state)}, </span>
      <span class="lane-bars">
        {spansOf(phases).map((span, index) => (
          <Bar key={index} span={span} from={from} to={to} />
        ))}
      </span>
      <span class="lane-facts">
        {view === undefined ? null : (
          <>
            <b class="tokens">{view.tokens}</b> tokens
            {view.failovers === 0 ? null : <em> · {times(view.failovers)}</em>}
          </>
        )}
      </span>
    </button>
  )
}

const times = (failovers: number): string => (failovers === 1 ? "1 failover" : `${failovers} failovers`)

interface BarProps {
  readonly span: Span
  readonly from: number
  readonly to: number
}

const Bar = ({ from, span, to }: BarProps) => {
  const isPoint = span.to === span.from
  const start = Math.max(from, span.from)
  const end = Math.min(to, span.to ?? to)
  if (end < from || (end === start && !isPoint)) return null
  const part = (ms: number) => `${(ms / (to - from)) * 100}%`
  const lasted = (phase: Phase) => duration((phase.to ?? to) - phase.from)
  const parts = span.parts.length === 1 ? [] : span.parts.map((phase) => `${phase.state} ${lasted(phase)}`)
  return (
    <i
      class={`bar as-${span.state} ${isPoint ? "point" : ""}`}
      style={{ left: part(start - from), width: part(end - start) }}
      title={[`${spanName(span.state)}: ${lasted(span)}`, ...parts].join("\n")}
    />
  )
}

const JobDetails = ({ job, store }: { readonly job: JobShown; readonly store: Store }) => {
  const { id, lines, phases, view } = job
  const placement = view?.placement
  const facts: ReadonlyArray<readonly [string, string | undefined]> = [
    ["job", id],
    ["model", view?.model],
    ["asked by", view?.key],
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
        <h2 title={id}>{jobName(job) ?? id}</h2>
        <span class={`chip as-${lifeOfWord(phases.at(-1)?.state ?? "")}`}>{phases.at(-1)?.state}</span>
        <span class="grow" />
        {actor === undefined ? null : (
          <button class="action" onClick={() => store.go({ view: "tree", actor })}>
            chart
          </button>
        )}
        <Close close={() => store.go({ job: undefined })} back={`[data-job="${id}"]`} />
      </header>
      <div class="facts">
        <div class="column" tabIndex={0} role="region" aria-label="facts">
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
        <div class="column" tabIndex={0} role="region" aria-label="placement">
          <h3>placement</h3>
          {placement === undefined ? (
            <p class="hint">not placed</p>
          ) : (
            <ul class="placement">
              <li class="won" title={placement.worker}>
                <b>
                  {placement.device} on {placement.hive}
                </b>
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
        <div class="column wide" tabIndex={0} role="region" aria-label="narration">
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
