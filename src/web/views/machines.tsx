/** The machines of the cluster, their devices, and what runs on them. */
import { useState } from "preact/hooks"
import { call, wordsOf } from "../kit/call.ts"
import { type HiveCard, hivesIn, type WorkerRow, workersIn } from "./read.ts"
import { useRemote } from "./remote.ts"
import { Shown } from "./shown.tsx"

const load = async () => {
  const [hives, workers] = await Promise.all([call("GET", "/hives"), call("GET", "/workers")])
  return { hives: hivesIn(hives), workers: workersIn(workers) }
}

export const Machines = () => {
  const machines = useRemote(load)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const perform = async (path: string) => {
    try {
      await call("POST", path)
      setProblem(undefined)
    } catch (error) {
      setProblem(wordsOf(error))
    }
    machines.again()
  }
  return (
    <section class="page" aria-label="Machines">
      <h2>Machines</h2>
      <Shown of={machines}>
        {({ hives, workers }) => (
          <>
            {problem === undefined ? null : (
              <p class="problem" role="alert">
                {problem}
              </p>
            )}
            <ul class="cards">
              {hives.map((hive) => (
                <Machine
                  key={hive.id}
                  hive={hive}
                  workers={workers.filter((worker) => worker.hive === hive.id)}
                  perform={(path) => void perform(path)}
                />
              ))}
            </ul>
          </>
        )}
      </Shown>
    </section>
  )
}

interface MachineProps {
  readonly hive: HiveCard
  readonly workers: ReadonlyArray<WorkerRow>
  readonly perform: (path: string) => void
}

const Machine = ({ hive: { devices, id, state }, perform, workers }: MachineProps) => {
  const path = `/hives/${encodeURIComponent(id)}`
  const isAsleep = state === "cold" || state === "stopped"
  return (
    <li class="card">
      <h3>
        {id} <span class={`chip state-${state}`}>{state}</span>
      </h3>
      <ul>
        {devices.map((device) => (
          <li key={device}>{device}</li>
        ))}
      </ul>
      {workers.map((worker) => (
        <p key={worker.id} class="row">
          <span>
            {worker.model} on {worker.device}: {worker.state}, {worker.busy} of {worker.slots} slots, {worker.memoryMb}{" "}
            MB
          </span>
          <button type="button" onClick={() => perform(`/workers/${encodeURIComponent(worker.id)}/shutdown`)}>
            Unload
          </button>
        </p>
      ))}
      <div class="row">
        {isAsleep ? (
          <button type="button" onClick={() => perform(`${path}/start`)}>
            Wake
          </button>
        ) : (
          <button type="button" onClick={() => perform(`${path}/shutdown`)}>
            Stop
          </button>
        )}
      </div>
    </li>
  )
}
