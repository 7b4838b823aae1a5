/** One machine: its devices, what runs on them, and what may be done with it. */
import { useState } from "preact/hooks"
import { megabytes } from "../kit/amounts.ts"
import type { Method } from "../kit/call.ts"
import { Logs } from "./logs.tsx"
import type { Hive, Worker } from "./read.ts"

interface MachineProps {
  readonly hive: Hive
  readonly workers: ReadonlyArray<Worker>
  readonly isBusy: boolean
  readonly perform: (what: string, method: Method, path: string) => void
  readonly setUp: () => void
}

export const Machine = ({ hive, isBusy, perform, setUp, workers }: MachineProps) => {
  const { devices, id, power, ssh, state } = hive
  const [hasLogs, showLogs] = useState(false)
  return (
    <li class="card" data-hive={id} data-state={state}>
      <h3>
        {id} <span class={`chip state-${state}`}>{state}</span>
      </h3>
      {ssh === undefined ? null : <p class="note">over ssh: {ssh}</p>}
      {power === undefined ? null : <p class="note">{power}</p>}
      <ul>
        {devices.map((device) => (
          <li key={device}>{device}</li>
        ))}
      </ul>
      {workers.map(({ busy, device, id: worker, memoryMb, model, slots, state: now }) => (
        <p key={worker} class="row">
          <span>
            {model} on {device.toUpperCase()}: {now}, {busy} of {slots} slots, {megabytes(memoryMb)}
          </span>
          <button
            type="button"
            aria-label={`Unload ${model} from ${device} of ${id}`}
            disabled={isBusy}
            onClick={() => perform("unload", "POST", `/workers/${encodeURIComponent(worker)}/shutdown`)}
          >
            Unload
          </button>
        </p>
      ))}
      <Actions
        hive={hive}
        isBusy={isBusy}
        perform={perform}
        setUp={setUp}
        hasLogs={hasLogs}
        toggleLogs={() => showLogs(!hasLogs)}
      />
      {hasLogs ? <Logs hive={id} /> : null}
    </li>
  )
}

interface ActionsProps extends Omit<MachineProps, "workers"> {
  readonly hasLogs: boolean
  readonly toggleLogs: () => void
}

const resting = new Set(["cold", "stopped", "failed", "asleep"])

const Actions = ({ hasLogs, hive: { id, ssh, state }, isBusy, perform, setUp, toggleLogs }: ActionsProps) => {
  const path = `/hives/${encodeURIComponent(id)}`
  const [isSure, setSure] = useState(false)
  // the queen's own machine has its hive by itself
  const isOwn = ssh === undefined && id === "localhost"
  return (
    <div class="row">
      {resting.has(state) ? (
        <button
          type="button"
          aria-label={`Wake ${id}`}
          disabled={isBusy}
          onClick={() => perform("wake", "POST", `${path}/start`)}
        >
          Wake
        </button>
      ) : (
        <button
          type="button"
          aria-label={`Stop ${id}`}
          disabled={isBusy}
          onClick={() => perform("stop", "POST", `${path}/shutdown`)}
        >
          Stop
        </button>
      )}
      {ssh === undefined ? null : (
        <button type="button" aria-label={`Check and set up ${id}`} onClick={setUp}>
          Check and set up
        </button>
      )}
      <button type="button" aria-expanded={hasLogs} aria-label={`Logs of ${id}`} onClick={toggleLogs}>
        Logs
      </button>
      {isOwn ? null : isSure ? (
        <>
          <button
            type="button"
            class="sure"
            disabled={isBusy}
            onClick={() => {
              setSure(false)
              perform("remove", "DELETE", path)
            }}
          >
            Forget {id}
          </button>
          <button type="button" onClick={() => setSure(false)}>
            Keep it
          </button>
        </>
      ) : (
        <button type="button" aria-label={`Remove ${id}`} onClick={() => setSure(true)}>
          Remove
        </button>
      )}
    </div>
  )
}
