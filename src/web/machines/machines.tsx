/** The machines of the cluster. */
import { useState } from "preact/hooks"
import { Problem, useActing } from "../kit/acting.tsx"
import { call } from "../kit/call.ts"
import { useRemote } from "../kit/remote.ts"
import { Shown } from "../kit/shown.tsx"
import { Add } from "./add.tsx"
import type { Wanted } from "./adding.ts"
import { Machine } from "./machine.tsx"
import { hivesIn, workersIn } from "./read.ts"
import { Steps } from "./steps.tsx"

const load = async () => {
  const [hives, workers] = await Promise.all([call("GET", "/hives"), call("GET", "/workers")])
  return { hives: hivesIn(hives), workers: workersIn(workers) }
}

interface SetUp {
  readonly id: string
  readonly wanted: Wanted | undefined
}

export const Machines = () => {
  const machines = useRemote(load)
  const { busy, perform, problem } = useActing(machines.again)
  const [isAsking, ask] = useState(false)
  const [setUp, begin] = useState<SetUp | undefined>(undefined)
  return (
    <section class="page" aria-label="Machines">
      <h2>Machines</h2>
      <Shown of={machines}>
        {({ hives, workers }) => (
          <>
            <Problem words={problem} />
            {setUp !== undefined ? (
              <Steps key={setUp.id} {...setUp} again={machines.again} leave={() => begin(undefined)} />
            ) : isAsking ? (
              <Add
                add={(id, wanted) => {
                  ask(false)
                  begin({ id, wanted })
                }}
                leave={() => ask(false)}
              />
            ) : (
              <div class="row">
                <button type="button" class="edged" onClick={() => ask(true)}>
                  Add a machine
                </button>
              </div>
            )}
            <ul class="cards">
              {hives.map((hive) => (
                <Machine
                  key={hive.id}
                  hive={hive}
                  workers={workers.filter((worker) => worker.hive === hive.id)}
                  isBusy={busy !== undefined}
                  perform={(what, method, path) => void perform(what, () => call(method, path))}
                  setUp={() => begin({ id: hive.id, wanted: undefined })}
                />
              ))}
            </ul>
          </>
        )}
      </Shown>
    </section>
  )
}
