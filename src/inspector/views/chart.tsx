/** The chart of one actor: where it is, how it came there, and what its timers are about to do. */
import { useEffect, useRef, useState } from "preact/hooks"
import type { ChartState } from "../../machines/charts/chart-graph.ts"
import { type Box, type Chart, chartOf } from "../charts.ts"
import { duration } from "../../web/kit/amounts.ts"
import { activeIds, lifeOf } from "../format.ts"
import type { ActorState } from "../model.ts"

/** How long the line of the last transition glows, milliseconds of the trace. */
const glowMs = 1600

export const ChartView = ({ actor, now }: { readonly actor: ActorState; readonly now: number }) => {
  const chart = chartOf(actor.machine ?? "")
  const frame = useRef<HTMLDivElement>(null)
  const [zoom, setZoom] = useState<number | undefined>(undefined)
  const [fit, setFit] = useState(1)
  const value = JSON.stringify(actor.snapshot?.value)
  // a large chart does not fit readably: what is active is brought into sight
  useEffect(() => {
    const lit = frame.current?.querySelectorAll(".chart-state.leaf.active") ?? []
    lit[0]?.scrollIntoView({ block: "center", inline: "center" })
  }, [value, fit, zoom, actor.key])
  useEffect(() => {
    const element = frame.current
    if (element === null || chart === undefined) return
    const measure = () =>
      setFit(Math.min(1.15, (element.clientWidth - 16) / chart.width, (element.clientHeight - 16) / chart.height))
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    measure()
    return () => observer.disconnect()
  }, [chart])
  if (chart === undefined) return <p class="hint">there is no chart named {actor.machine}</p>
  const active = new Set(activeIds(actor.snapshot?.value))
  const life = lifeOf(actor)
  const scale = zoom ?? Math.max(fit, 0.72)
  return (
    <div class={`chart as-${life}`} data-life={life}>
      <div class="zoom">
        <button onClick={() => setZoom(scale * 1.25)} aria-label="larger">
          +
        </button>
        <button onClick={() => setZoom(scale / 1.25)} aria-label="smaller">
          −
        </button>
        <button onClick={() => setZoom(fit)}>fit</button>
      </div>
      <div class="canvas" ref={frame} tabIndex={0} role="region" aria-label="chart">
        <svg
          width={chart.width * scale}
          height={chart.height * scale}
          viewBox={`0 0 ${chart.width} ${chart.height}`}
          role="img"
          aria-label={`chart of ${chart.name}`}
        >
          <defs>
            {["arrow", "arrow-fired"].map((id) => (
              <marker
                id={id}
                key={id}
                viewBox="0 0 8 8"
                refX="7"
                refY="4"
                markerWidth="7"
                markerHeight="7"
                orient="auto"
              >
                <path d="M0 0L8 4L0 8z" class={id} />
              </marker>
            ))}
          </defs>
          <States chart={chart} state={chart.root} active={active} />
          <Lines chart={chart} actor={actor} active={active} now={now} />
        </svg>
      </div>
    </div>
  )
}

const States = (props: { readonly chart: Chart; readonly state: ChartState; readonly active: ReadonlySet<string> }) => {
  const { active, chart, state } = props
  const box = chart.boxes[state.id]
  if (box === undefined) return null
  const [x, y, width, height] = box
  const isLeaf = state.states.length === 0
  const notes = [...state.tags.filter((tag) => tag !== state.key).map((tag) => `«${tag}»`), ...state.activities]
  const shown = state.id === "" ? "" : active.has(state.id) ? "active" : ""
  return (
    <g class={`chart-state ${isLeaf ? "leaf" : "box"} ${shown} ${state.kind}`} data-state={state.id}>
      <rect x={x} y={y} width={width} height={height} rx={isLeaf ? 9 : 12} />
      <text x={isLeaf ? x + width / 2 : x + 14} y={y + 22} class="title" text-anchor={isLeaf ? "middle" : "start"}>
        {state.key}
      </text>
      {notes.map((note, index) => (
        <text
          key={note}
          x={isLeaf ? x + width / 2 : x + 14}
          y={y + 38 + index * 15}
          class="note"
          text-anchor={isLeaf ? "middle" : "start"}
        >
          {note}
        </text>
      ))}
      {state.states.map((child) => (
        <States key={child.id} chart={chart} state={child} active={active} />
      ))}
    </g>
  )
}

const Lines = (props: {
  readonly chart: Chart
  readonly actor: ActorState
  readonly active: ReadonlySet<string>
  readonly now: number
}) => {
  const { active, actor, chart, now } = props
  const { last, timers } = actor
  const before = new Set(last === undefined ? [] : activeIds(last.from))
  const glows = last !== undefined && now - last.at < glowMs
  return (
    <>
      {chart.edges.map((edge) => {
        const line = chart.lines[edge.id]
        if (line === undefined || line.points.length < 2) return null
        const isLast =
          last !== undefined &&
          edge.events.includes(last.event) &&
          before.has(edge.source) &&
          (active.has(edge.target) || edge.target === "")
        const due = timers.find(({ event }) => edge.events.includes(event))?.due
        const kind = isLast ? (glows ? "fired now" : "fired") : active.has(edge.source) ? "open" : ""
        return (
          <g key={edge.id} class={`chart-line ${kind}`} data-edge={edge.id}>
            <path d={rounded(line.points)} marker-end={`url(#${isLast ? "arrow-fired" : "arrow"})`} />
            {line.label === undefined ? null : (
              <LineLabel
                text={due === undefined ? edge.label : `${edge.label} · ${duration(due - now)}`}
                box={line.label}
              />
            )}
          </g>
        )
      })}
    </>
  )
}

const LineLabel = ({ box: [x, y, width], text }: { readonly box: Box; readonly text: string }) => (
  <>
    {text.split("\n").map((part, index) => (
      <text key={part} x={x + width / 2} y={y + 11 + index * 13} text-anchor="middle">
        {part}
      </text>
    ))}
  </>
)

const radius = 7

/** An orthogonal line with round corners. */
const rounded = (points: ReadonlyArray<readonly [number, number]>): string => {
  const parts: Array<string> = []
  points.forEach(([x, y], index) => {
    const previous = points[index - 1]
    const next = points[index + 1]
    if (previous === undefined) return parts.push(`M${x} ${y}`)
    if (next === undefined) return parts.push(`L${x} ${y}`)
    const [fromX, fromY] = towards([x, y], previous)
    const [toX, toY] = towards([x, y], next)
    return parts.push(`L${fromX} ${fromY}Q${x} ${y} ${toX} ${toY}`)
  })
  return parts.join("")
}

const towards = (
  [x, y]: readonly [number, number],
  [toX, toY]: readonly [number, number]
): readonly [number, number] => {
  const length = Math.hypot(toX - x, toY - y)
  const part = length === 0 ? 0 : Math.min(radius, length / 2) / length
  return [x + (toX - x) * part, y + (toY - y) * part]
}
