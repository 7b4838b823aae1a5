/** Strikes a cluster with one fault of a plan; what lasts is undone after its time. */
import type { SimProcess } from "../world/process.ts"
import type { Cluster } from "./cluster.ts"
import type { Fault } from "./plan.ts"
import { bootCommand, type Command, type KeeperRun } from "./commands.ts"
import { cpuDevice, type HiveId, WorkerId } from "../../machines/vocabulary/ids.ts"

const hiveCommands = {
  "hives-start": (startHive: HiveId): Command => ({ startHive }),
  "hives-stop": (stopHive: HiveId): Command => ({ stopHive }),
  "hives-rm": (removeHive: HiveId): Command => ({ removeHive })
}

const pick = <A>(items: ReadonlyArray<A>, target: number): A | undefined => items[target % Math.max(1, items.length)]

export const strike = (cluster: Cluster, keepers: ReadonlyArray<KeeperRun>, fault: Fault): void => {
  const { kernel, links } = cluster
  const one = (role: Parameters<Cluster["living"]>[0]) => pick(cluster.living(role), fault.target)
  const stopped = (process: SimProcess | undefined) => {
    if (process === undefined) return
    process.stop()
    kernel.at(fault.forMs, () => process.continue())
  }
  const operate = (command: Command) => bootCommand(cluster, cluster.first.spawn("operator"), command)
  kernel.note(`fault ${fault.kind}`)
  cluster.onlooker?.struck?.(fault.kind, kernel.wallMs())
  switch (fault.kind) {
    case "kill-worker":
      return one("worker")?.kill()
    case "kill-hive":
      return one("hive")?.kill()
    case "kill-queen":
      return one("queen")?.kill()
    case "kill-keeper":
      return pick([...cluster.living("keeper"), ...cluster.living("client")], fault.target)?.kill()
    case "abort-worker":
      return one("worker")?.end({ code: 134, signal: undefined })
    case "hang-worker": {
      // nobody but its hive ends it
      const worker = one("worker")
      if (worker !== undefined) worker.isHung = true
      return undefined
    }
    case "stop-worker":
      return stopped(one("worker"))
    case "stop-hive":
      return stopped(one("hive"))
    case "stop-queen":
      return stopped(one("queen"))
    case "stop-keeper":
      return stopped(pick([...cluster.living("keeper"), ...cluster.living("client")], fault.target))
    case "slow-start":
      cluster.slowMs = 1000 + fault.target * 10
      kernel.at(fault.forMs, () => (cluster.slowMs = 0))
      return undefined
    case "steal-port": {
      const url = pick([cluster.queenUrl, ...[...cluster.hives.values()].map((site) => site.url)], fault.target)
      const stranger = cluster.first.spawn("stranger")
      if (url === undefined || !cluster.network.steal(stranger, url)) return stranger.kill()
      kernel.at(fault.forMs, () => stranger.kill())
      return undefined
    }
    case "hive-disk-full": {
      const disk = pick([...cluster.hives.values()], fault.target)?.disk
      if (disk === undefined) return undefined
      disk.isFull = true
      kernel.at(fault.forMs, () => (disk.isFull = false))
      return undefined
    }
    case "corrupt-catalog": {
      // found out by the next start of its hive
      const site = pick([...cluster.hives.values()], fault.target)
      site?.store.lose()
      return site?.running?.kill()
    }
    case "corrupt-queen-catalog":
      // found out by her next start; her own machine's hive tells her of itself, the others are forgotten
      cluster.queenStore.lose()
      return one("queen")?.kill()
    case "mid-frame":
      return cluster.network.cutMidFrame(() => kernel.random.chance(0.5))
    case "echo":
      cluster.network.echoes = true
      kernel.at(fault.forMs, () => (cluster.network.echoes = false))
      return undefined
    case "disk-full":
      cluster.journal.isFull = true
      kernel.at(fault.forMs, () => (cluster.journal.isFull = false))
      return undefined
    case "cut":
    case "half-open": {
      const far = pick(cluster.machines.slice(1), fault.target)
      if (far === undefined) return undefined
      const wires = [
        [cluster.first.name, far.name],
        [far.name, cluster.first.name]
      ] as const
      const chosen = fault.kind === "cut" ? wires : [wires[fault.target % 2 === 0 ? 0 : 1]]
      for (const [from, to] of chosen) {
        links.cut(from, to)
        kernel.at(fault.forMs, () => links.heal(from, to))
      }
      return undefined
    }
    case "reset":
      cluster.network.resetConnections(() => kernel.random.chance(0.5))
      return undefined
    case "boot-failure": {
      const site = pick([...cluster.hives.values()], fault.target)
      if (site !== undefined) site.bootFailures += 1 + (fault.target % 8)
      return undefined
    }
    case "out-of-memory": {
      // somebody else takes what a device has left
      const machine = pick(cluster.machines, fault.target)
      const device = pick([cpuDevice, ...(machine?.spec.gpus.map(({ id }) => id) ?? [])], fault.target >> 3)
      if (machine === undefined || device === undefined) return undefined
      const stranger = machine.spawn("stranger")
      machine.take(stranger.id.pid, device, Math.max(0, machine.freeBytes(device) - 20e6))
      kernel.at(fault.forMs, () => stranger.kill())
      return undefined
    }
    case "clock-jump": {
      const hive = one("hive")
      if (hive !== undefined) hive.clockOffsetMs += (fault.target - 500) * 100
      return undefined
    }
    case "crash-machine": {
      // the queen's own less often: it ends every job
      const machine = pick(cluster.machines, fault.target % 3 === 0 ? 0 : 1 + (fault.target % 7))
      for (const process of machine?.processes.values() ?? [])
        if (!process.name.includes("/system")) process.end({ code: undefined, signal: "SIGKILL" })
      for (const site of cluster.hives.values()) if (site.machine === machine) site.disk.crash(kernel.random)
      if (machine !== cluster.first) return undefined
      kernel.note(`lost ${cluster.journal.crash(kernel.random)} commits`)
      cluster.boots++
      cluster.watch.forgetShown()
      return undefined
    }
    case "hives-start":
    case "hives-stop":
    case "hives-rm": {
      const hive = pick([...cluster.hives.keys()], fault.target)
      if (hive !== undefined) operate(hiveCommands[fault.kind](hive))
      return undefined
    }
    case "workers-stop": {
      const worker = /\/worker-([^#]+)#/.exec(one("worker")?.name ?? "")?.[1]
      if (worker !== undefined) operate({ stopWorker: WorkerId.make(worker) })
      return undefined
    }
    case "down":
      return operate("down")
    case "ctrl-c":
      return interrupt(
        cluster,
        pick(
          keepers.filter(({ process }) => process.isAlive),
          fault.target
        )
      )
    default:
      cluster.hub = { ...cluster.hub, trouble: troubles[fault.kind] }
      kernel.at(fault.forMs, () => (cluster.hub = { ...cluster.hub, trouble: undefined }))
      return undefined
  }
}

const troubles = {
  "hub-cut": "cut",
  "hub-stall": "stall",
  "hub-404": "404",
  "hub-403": "403",
  "hub-429": "429",
  "hub-5xx": "5xx",
  "hub-hash": "hash",
  "hub-no-range": "no-range"
} as const

/** A job is cancelled within 5 s, and the keeper ends; whatever it waits for, it can be told to stop. */
const interruptMs = 10_000

const interrupt = (cluster: Cluster, keeper: KeeperRun | undefined): void => {
  if (keeper === undefined) return
  const { process } = keeper
  keeper.interrupt()
  const { stops } = process
  if (process.isStopped) return
  cluster.kernel.at(interruptMs, () => {
    if (process.isAlive && process.stops === stops)
      cluster.watch.breach("a wait can be cancelled", `${process.name} runs ${interruptMs / 1000} s after Ctrl-C`)
  })
}

/** Whatever is still wrong is right from now on. */
export const heal = (cluster: Cluster): void => {
  cluster.kernel.note("heal")
  cluster.onlooker?.struck?.("heal", cluster.kernel.wallMs())
  for (const from of cluster.machines) for (const to of cluster.machines) cluster.links.heal(from.name, to.name)
  for (const process of cluster.left()) {
    process.continue()
    if (process.name.includes("/stranger")) process.kill()
  }
  for (const site of cluster.hives.values()) {
    site.bootFailures = 0
    site.disk.isFull = false
  }
  cluster.slowMs = 0
  cluster.network.echoes = false
  cluster.journal.isFull = false
  cluster.hub = { ...cluster.hub, breaks: 0, corrupts: 0, trouble: undefined }
}
