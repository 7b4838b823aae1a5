/** A simulated cluster in the state that a branch begins with, and the run of `rbee infer` that it is about. */
import { Kernel } from "../../../src/simulator/world/kernel/kernel.ts"
import type { Settings } from "../../../src/layers/settings/index.ts"
import { Cluster } from "../../../src/simulator/run/cluster.ts"
import { planOf } from "../../../src/simulator/run/plan.ts"
import { bootCommand, bootKeeper, type Command, type KeeperRun } from "../../../src/simulator/run/commands.ts"
import { bootHive, bootQueen, bootWorker } from "../../../src/simulator/run/programs.ts"
import type { Branch } from "./branches.ts"
import { HiveId, localHive, DeviceId } from "../../../src/machines/vocabulary/ids.ts"

const model = "HF:author/minillama"
/** milliseconds after which capabilities are stale, and a time that no command takes here */
const capabilitiesMs = 60_000
const boundMs = 300_000
/** milliseconds until a hive looks at its GPUs again */
const gpuLookMs = 2100

class TestCluster extends Cluster {
  override settingsOf(hiveId: string): Settings {
    const settings = super.settingsOf(HiveId.make(hiveId))
    return { ...settings, queen: { ...settings.queen, capabilitiesMs } }
  }
}

export interface Ran {
  readonly run: KeeperRun
  readonly cluster: Cluster
}

export const runBranch = (branch: Branch): Ran => {
  const kernel = new Kernel({ seed: 1 })
  const cluster = new TestCluster(
    kernel,
    {
      ...planOf(1, { hives: 1, faults: false }),
      hives: [{ id: localHive, ramMb: 16_000, gpus: [12_000, 24_000], awake: false }],
      tokens: 20,
      tokensPerS: 50,
      loadMs: 200,
      bootMs: [20, 20],
      latencyMs: [0.2, 1],
      hub: { breaks: 0, corrupts: 0 }
    },
    { hive: bootHive, queen: bootQueen, worker: bootWorker }
  )
  const until = (isSo: () => boolean): void => {
    const stop = kernel.run(isSo, kernel.now + boundMs)
    if (stop !== undefined) throw new Error(`${stop._tag} while the cluster was arranged or ran`)
  }
  const pass = (ms: number): void => {
    let over = false
    kernel.at(ms, () => {
      over = true
    })
    until(() => over)
  }
  const command = (which: Command): void => {
    const process = cluster.first.spawn("command")
    bootCommand(cluster, process, which)
    until(() => !process.isAlive)
    if (process.status?.code !== 0) throw new Error(`a command ended with ${process.status?.code}`)
  }
  const infer = ({ answer, capacity, session }: Pick<Branch, "answer" | "capacity" | "session">): KeeperRun => {
    const run = bootKeeper(cluster, cluster.first.spawn("keeper-1"), {
      request: {
        model,
        messages: [{ role: "user", content: "hello" }],
        stream: answer === "streamed",
        allow_cpu: capacity !== "none"
      },
      teardown: session,
      format: "plain"
    })
    until(() => !run.process.isAlive)
    return run
  }
  const warm = { answer: "streamed", capacity: "GPU1", session: "warm" } as const
  const site = [...cluster.hives.values()][0]
  if (site === undefined) throw new Error("no hive")

  if (branch.model === "present" && branch.worker === "none") infer(warm)
  else if (branch.hive !== "unknown") command({ startHive: HiveId.make("localhost") })
  if (cluster.living("queen").length > 0) command("down")
  if (branch.hive === "unknown") {
    cluster.queenStore.hives.clear()
    cluster.queenStore.capabilities.clear()
  } else if (branch.hive !== "asleep") command({ startHive: HiveId.make("localhost") })
  if (branch.worker === "resident") infer(warm)
  if (branch.hive === "stale") pass(capabilitiesMs + 1000)
  if (branch.queen === "awake") command("up")
  else for (const queen of cluster.living("queen")) queen.kill()

  // what other programs on the machine have taken
  const taken = { GPU1: [], GPU0: ["gpu1"], CPU: ["gpu1", "gpu0"], none: ["gpu1", "gpu0"] }[branch.capacity]
  for (const device of taken) {
    const game = cluster.first.spawn("game")
    cluster.first.take(game.id.pid, DeviceId.make(device), cluster.first.freeBytes(DeviceId.make(device)))
  }
  if (branch.hive === "fresh" || branch.hive === "stale") pass(gpuLookMs)
  if (branch.runtime === "missing") site.runtimes.clear()
  site.bootFailures = { "at once": 0, "at the second try": 1, never: 5 }[branch.boots]
  return { run: infer(branch), cluster }
}
