/** Real daemons under the fuzzer: alive, by the same pids, whatever was done to them. */
import { readFileSync } from "node:fs"
import { type Machine, makeMachine, type Proc } from "../support/machine.ts"
import { Finding } from "./target.ts"

export const token = "a-token-of-the-fuzzer"

export interface FuzzedCluster {
  readonly machine: Machine
  /** throws a Finding where a queen or hive that ran is gone */
  readonly check: () => Promise<void>
  readonly peakMb: () => number
}

const peakOf = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1000

/** milliseconds in which /health must answer */
const healthMs = 5000

export const openCluster = async (options: Parameters<typeof makeMachine>[0] = {}): Promise<FuzzedCluster> => {
  // no hub is to be had, and none is asked for
  const machine = await makeMachine({
    ...options,
    env: { RBEE_TOKEN: token, HF_ENDPOINT: "http://127.0.0.1:1", ...options.env }
  })
  const up = await machine.rbee(["up"])
  if (up.code !== 0) throw new Error(up.stderr)
  const daemons = machine.processes().filter(({ role }) => role === "queen" || role === "hive")
  const alive = ({ pid, role }: Proc) => machine.processes().some((each) => each.pid === pid && each.role === role)
  let peak = 0
  return {
    machine,
    check: async () => {
      for (const daemon of daemons) {
        if (!alive(daemon)) throw new Finding("crash", `the ${daemon.role} is gone`)
        peak = Math.max(peak, peakOf(daemon.pid))
      }
      for (const port of [machine.ports.queen, machine.ports.hive]) {
        const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(healthMs) }).catch(
          (error: unknown) => new Finding("hang", `/health of :${port}: ${String(error)}`)
        )
        if (answer instanceof Finding) throw answer
        await answer.arrayBuffer()
      }
    },
    peakMb: () => peak
  }
}
