/** Hives with their devices, what is resident on them, and what is on its way. */
import { megabytes, modelName } from "../../web/kit/amounts.ts"
import { lifeOfWord } from "../format.ts"
import { type HiveShown, isEnd, type WorkerShown } from "../model.ts"
import type { Store } from "../store.ts"
import { isObject } from "../../machines/formats/json/is-object.ts"
import type { JobView } from "../../machines/vocabulary/job.ts"

export const Cluster = ({ store }: { readonly store: Store }) => {
  const { world } = store
  const workers = [...world.workers.values()]
  const jobs = [...world.jobs.values()].flatMap(({ view }) => (view === undefined ? [] : [view]))
  const waiting = jobs.filter(({ state }) => state === "queued").length
  const running = jobs.filter(({ state }) => state !== "queued" && !isEnd(state))
  const rate = workers.reduce((sum, worker) => sum + worker.rate, 0)
  const slots = workers.reduce((sum, { view }) => sum + view.slots, 0)
  const busy = workers.reduce((sum, { view }) => sum + view.busy, 0)
  return (
    <div class="cluster" tabIndex={0} role="region" aria-label="cluster">
      <div class="figures">
        <Figure name="hives" value={world.hives.size} />
        <Figure name="workers" value={workers.length} />
        <Figure name="slots busy" value={`${busy}/${slots}`} />
        <Figure name="jobs running" value={running.length} />
        <Figure name="jobs waiting" value={waiting} />
        <Figure name="tokens/s" value={Math.round(rate)} />
        <Figure name="tokens" value={jobs.reduce((sum, { tokens }) => sum + tokens, 0)} id="tokens" />
      </div>
      <div class="hives">
        {[...world.hives.values()].map((hive) => (
          <Hive
            key={hive.id}
            hive={hive}
            workers={workers.filter(({ view }) => view.hive === hive.id)}
            running={running}
            downloads={downloadsOf(store, hive.id)}
          />
        ))}
        {world.hives.size === 0 ? <p class="hint">No hive is known.</p> : null}
      </div>
    </div>
  )
}

const Figure = ({
  id,
  name,
  value
}: {
  readonly id?: string
  readonly name: string
  readonly value: number | string
}) => (
  <div class="figure" data-figure={id ?? name}>
    <b>{value}</b>
    <span>{name}</span>
  </div>
)

interface Download {
  readonly ref: string
  readonly part: number
  readonly state: string
}

/** Downloads are actors of a hive; how far they are is in their charts' context. */
const downloadsOf = ({ world }: Store, hive: string): ReadonlyArray<Download> =>
  [...world.actors.values()].flatMap(({ daemon, gone, machine, snapshot }) => {
    const context = snapshot?.context
    if (machine !== "download" || daemon !== `hive-${hive}` || gone !== undefined || !isObject(context)) return []
    const { bytes, received, ref } = context
    const part = typeof bytes === "number" && typeof received === "number" && bytes > 0 ? received / bytes : 0
    return [{ ref: String(ref), part, state: String(snapshot?.value) }]
  })

interface HiveProps {
  readonly hive: HiveShown
  readonly workers: ReadonlyArray<WorkerShown>
  readonly running: ReadonlyArray<JobView>
  readonly downloads: ReadonlyArray<Download>
}

const Hive = ({ downloads, hive, running, workers }: HiveProps) => (
  <article class="hive" data-hive={hive.id}>
    <header>
      <i class={`dot as-${hive.state}`} />
      <h2>{hive.id}</h2>
      <span class={`chip as-${hive.state}`}>{hive.state}</span>
    </header>
    {devicesOf(hive).map((device) => (
      <div class="device" key={device.id}>
        <span>
          <b>{device.id.toUpperCase()}</b> {device.name}
          {device.degraded ? <em> out of service</em> : null}
        </span>
        <span class="amount">
          {megabytes(device.leased)} leased · {megabytes(device.free)} to lease · {megabytes(device.measured)} free
        </span>
        <span
          class="meter"
          title={`of ${megabytes(device.total)}: leased ${megabytes(device.leased)}, in use as measured ${megabytes(device.total - device.measured)}`}
        >
          <u style={{ width: `${100 - (device.measured / Math.max(1, device.total)) * 100}%` }} />
          <i style={{ width: `${(device.leased / Math.max(1, device.total)) * 100}%` }} />
        </span>
      </div>
    ))}
    {workers.map(({ rate, view }) => (
      <div class="worker" key={view.id} data-worker={view.id} data-state={view.state} title={view.id}>
        <i class={`dot as-${lifeOfWord(view.state)}`} />
        <span class="model" title={view.model}>
          {modelName(view.model)}
        </span>
        <span class="on">{view.device.toUpperCase()}</span>
        <span class="askers">{askersOf(view.id, running)}</span>
        <span class="slots" title={`${view.busy} of ${view.slots} slots busy`}>
          {Array.from({ length: Math.min(view.slots, 32) }, (_, slot) => (
            <i key={slot} class={slot < view.busy ? "busy" : ""} />
          ))}
        </span>
        <span class="rate">
          {view.state === "loading" ? `${Math.round(view.load_progress * 100)} %` : `${Math.round(rate)} tok/s`}
        </span>
      </div>
    ))}
    {downloads.map(({ part, ref, state }) => (
      <div class="download" key={ref}>
        <span>
          {ref} <em>{state}</em>
        </span>
        <span class="meter">
          <i style={{ width: `${part * 100}%` }} />
        </span>
      </div>
    ))}
    {workers.length + downloads.length === 0 ? <p class="hint">nothing resident</p> : null}
  </article>
)

const askersOf = (worker: string, running: ReadonlyArray<JobView>): string => {
  const keys = running.flatMap(({ key, placement }) => (placement?.worker === worker && key !== undefined ? [key] : []))
  return keys.length === 0 ? "" : `for ${[...new Set(keys)].join(", ")}`
}

interface Device {
  readonly id: string
  readonly name: string
  readonly total: number
  readonly free: number
  readonly leased: number
  readonly measured: number
  readonly degraded: boolean
}

const devicesOf = ({ beats, devices }: HiveShown): ReadonlyArray<Device> => {
  if (devices === undefined) return []
  const { cpu, gpus } = devices
  const all = [
    { id: "cpu", name: `${cpu.cores} cores`, total: cpu.ram_mb, measured: cpu.ram_free_mb },
    ...gpus.map(({ id, name, vram_free_mb, vram_mb }) => ({ id, name, total: vram_mb, measured: vram_free_mb }))
  ]
  return all.map((device) => {
    const beat = beats?.find(({ id }) => id === device.id)
    return {
      ...device,
      free: Math.min(device.total, beat?.free_mb ?? device.measured),
      leased: beat?.leased_mb ?? 0,
      measured: beat?.measured_mb ?? device.measured,
      degraded: beat?.state === "degraded"
    }
  })
}
