/** All charts of the cluster: what the documentation draws, the inspector shows and the tests compare. */
import type { AnyStateMachine } from "xstate"
import { downloadMachine } from "../download.ts"
import { hiveMachine } from "../hive.ts"
import { jobMachine } from "../job.ts"
import { queenMachine } from "../queen.ts"
import { workerMachine } from "../worker.ts"

/** By the id of the machine. */
export const charts: Readonly<Record<string, { readonly machine: AnyStateMachine; readonly where: string }>> = {
  job: { machine: jobMachine, where: "One actor a job, in the queen." },
  hive: { machine: hiveMachine, where: "One actor for each known machine, in the queen." },
  worker: { machine: workerMachine, where: "One actor for each loaded model and device, in the hive." },
  download: { machine: downloadMachine, where: "One actor for each running download, in the hive." },
  queen: { machine: queenMachine, where: "One actor a cluster: its life is the shutdown protocol." }
}
