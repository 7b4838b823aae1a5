/** Processes of the operating system, through node:child_process and /proc (`ps` and `lsof` where there is none). */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { spawn } from "./child.ts"
import { daemon } from "./daemon.ts"
import { familyMemoryOf, identityOf, isAlive, memoryOf, statOf } from "./identity.ts"
import { Processes, type ProcessId } from "./index.ts"
import { portOwner } from "./port-owner.ts"
import { signalGroup, signalProcess, waitUntil } from "./signals.ts"

/** what SIGKILL may take: a process that is stuck in the kernel is not waited for for ever */
const killMs = 5000

const end = async (id: ProcessId, graceMs: number): Promise<void> => {
  const stat = statOf(id.pid)
  // another process has this pid now: not ours to end
  if (stat?.start !== id.start) return
  const leads = stat.group === id.pid
  const signal = (name: NodeJS.Signals): boolean => (leads ? signalGroup(id.pid, name) : signalProcess(id.pid, name))
  const gone = (): boolean => !isAlive(id)
  signal("SIGTERM")
  // a stopped process takes no SIGTERM until it goes on
  signal("SIGCONT")
  if (!(await waitUntil(gone, graceMs)) && signal("SIGKILL")) await waitUntil(gone, killMs)
  // what it leaves behind in its group
  if (leads) signal("SIGKILL")
}

export const layerNode = Layer.sync(Processes, () => ({
  spawn,
  daemon,
  self: identityOf(process.pid) ?? { pid: process.pid, start: "unknown" },
  identify: (pid) => Effect.sync(() => identityOf(pid)),
  alive: (id) => Effect.sync(() => isAlive(id)),
  end: (id, graceMs) => Effect.promise(() => end(id, graceMs)),
  portOwner: (port) => Effect.promise(() => portOwner(port)),
  memory: (id, isFamily) => Effect.sync(() => (isFamily === true ? familyMemoryOf(id) : memoryOf(id)))
}))
