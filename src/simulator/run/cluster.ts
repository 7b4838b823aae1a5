/** A simulated cluster of one plan: machines, wires, stores, and the programs that run on them. */
import { MemoryCatalog as HiveStore } from "../../layers/hive-catalog/memory.ts"
import { MemoryCatalog as QueenStore } from "../../layers/queen-catalog/memory.ts"
import { type Settings } from "../../layers/settings/index.ts"
import { defaults } from "../../layers/settings/defaults.ts"
import type { Kernel } from "../world/kernel/kernel.ts"
import { SimJournal } from "../world/journal.ts"
import { Links } from "../world/network/links.ts"
import { Machine } from "../world/machine.ts"
import { ModelDisk, type Hub, usualContext } from "../world/models.ts"
import { Button } from "../world/power.ts"
import { Network } from "../world/network/network.ts"
import type { Host, SimProcess, Start } from "../world/process.ts"
import { serveSsh } from "../world/ssh.ts"
import type { HiveHere } from "../../layers/daemon/hive.ts"
import { hiveFolder } from "../../layers/paths/index.ts"
import { urlOf } from "../../machines/vocabulary/address.ts"
import type { Backend } from "../../machines/vocabulary/device.ts"
import type { Onlooker } from "../watch/onlooker.ts"
import { deadlyModel, type Plan } from "./plan.ts"
import { Watch } from "../watch/watch.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"
import { gpuDevice } from "../../machines/vocabulary/ids.ts"

export interface Site {
  readonly id: HiveId
  readonly machine: Host
  /** what its machine is called in urls */
  readonly host: string
  readonly url: string
  /** its daemon, the last that came up */
  running: SimProcess | undefined
  /** the last of them that a queen claimed */
  claimed?: SimProcess
  readonly store: HiveStore
  readonly disk: ModelDisk
  /** how many of its workers' next starts fail */
  bootFailures: number
  /** worker runtimes that are installed there */
  readonly runtimes: Set<Backend>
}

/** What a hive's program is started with. */
export type HiveStart = Pick<Site, "id" | "url" | "store" | "disk" | "runtimes">

/** The programs that its machines run. */
export interface Programs {
  readonly hive: (cluster: Cluster, process: SimProcess, hive: HiveStart) => void
  readonly queen: (cluster: Cluster, process: SimProcess) => void
  readonly worker: (cluster: Cluster, process: SimProcess, hive: HiveId, start: Start) => void
}

/** The files of the programs. */
export const files = { queen: "queen.js", hive: "hive.js", worker: "worker.js" } as const
const macOf = ({ name }: Host): string => `02:00:00:00:00:0${name.slice(1)}`
const queenPort = 8500
const hivePort = 8600

export class Cluster {
  readonly kernel: Kernel
  readonly plan: Plan
  readonly links: Links
  readonly network: Network
  readonly watch: Watch
  readonly machines: ReadonlyArray<Machine>
  readonly hives: ReadonlyMap<HiveId, Site>
  readonly journal = new SimJournal()
  readonly queenStore = new QueenStore()
  readonly queenUrl: string
  hub: Hub
  /** what the start of a process takes longer, at most */
  slowMs = 0
  /** starts of the queen's machine */
  boots = 1
  /** of the machines that may sleep */
  readonly buttons: ReadonlyArray<Button>

  readonly onlooker: Onlooker | undefined

  constructor(kernel: Kernel, plan: Plan, programs: Programs, onlooker?: Onlooker) {
    this.kernel = kernel
    this.plan = plan
    this.onlooker = onlooker
    this.links = new Links(kernel, { minMs: plan.latencyMs[0], maxMs: plan.latencyMs[1] })
    this.network = new Network(kernel, this.links)
    this.watch = new Watch(kernel, {
      recorded: (job) => this.journal.peek().tokens(job).tokenIds,
      plantsDuplicate: plan.canary === true,
      hasRoomForOne: plan.isRace === true,
      hasGoodDevices: plan.faults.length === 0 && plan.jobs.some(({ model }) => model === deadlyModel),
      isCalm: plan.faults.length === 0 && plan.hives.every(({ sleeps }) => (sleeps?.naps.length ?? 0) === 0),
      readsRecords: plan.faults.every(({ kind }) => kind !== "corrupt-catalog")
    })
    this.hub = { bytesPerS: 20e6, trouble: undefined, ...plan.hub }
    const machines: Array<Machine> = []
    const hives = new Map<HiveId, Site>()
    plan.hives.forEach((hive, index) => {
      const machine = new Machine(
        kernel,
        {
          name: `m${index}`,
          ramBytes: hive.ramMb * 1e6,
          gpus: hive.gpus.map((megabytes, gpu) => ({ id: gpuDevice(gpu), bytes: megabytes * 1e6 }))
        },
        1000 * (index + 1)
      )
      machine.onEnd = (process) => this.watch.ended(process)
      machine.onSpawn = (process) => this.watch.spawned(process)
      machine.onAwake = () => this.watch.isThere(machine)
      machines.push(machine)
      // the queen's own is known by where it listens, as on any machine
      const host = index === 0 ? "localhost" : machine.name
      const url = urlOf(host, hivePort)
      const store = new HiveStore(this.watch.leases(machine))
      const disk = new ModelDisk()
      const runtimes = new Set<Backend>(["cpu", "cuda"])
      hives.set(hive.id, {
        id: hive.id,
        machine,
        host,
        url,
        store,
        disk,
        running: undefined,
        bootFailures: 0,
        runtimes
      })
      machine.programs = {
        [files.queen]: { role: () => "queen", boot: (process) => programs.queen(this, process) },
        [files.hive]: {
          role: () => `hive-${hive.id}`,
          boot: (process) => programs.hive(this, process, { id: hive.id, url, store, disk, runtimes })
        },
        [files.worker]: {
          // as production starts it: flags, the program, the worker's id, the model's path
          role: ({ args }) => `worker-${args.at(-2) ?? ""}`,
          boot: (process, start) => programs.worker(this, process, hive.id, start)
        }
      }
      const system = machine.spawn("system")
      this.network.addHost(host, system)
      serveSsh(system, this.network, (id) => this.hiveHere(id, url))
    })
    this.machines = machines
    this.hives = hives
    this.queenUrl = urlOf("localhost", queenPort)
    // hives that an operator has added before, over SSH
    for (const { id, machine } of [...hives.values()].slice(1)) {
      const sleeps = plan.hives.find((hive) => hive.id === id)?.sleeps
      this.queenStore.hives.set(id, {
        id,
        addedAt: kernel.wallMs(),
        ssh: { host: machine.name, hive_port: hivePort },
        ...(sleeps === undefined ? {} : { power: { mac: macOf(machine), sleep_after_s: sleeps.afterS } })
      })
    }
    this.buttons = plan.hives.flatMap(({ id, sleeps }, index) => {
      const machine = machines.find((one) => one === hives.get(id)?.machine)
      if (sleeps === undefined || machine === undefined) return []
      const button = new Button(kernel, machine, { mac: macOf(machine), bootMs: sleeps.bootMs }, plan.seed + index)
      for (const at of sleeps.naps) kernel.at(at, () => button.fall())
      return [button]
    })
  }

  buttonOf(machine: Host): Button | undefined {
    return this.buttons.find((button) => button.machine === machine)
  }

  /** A packet is sent that wakes a machine. */
  calls(button: Button): void {
    const site = [...this.hives.values()].find(({ machine }) => machine === button.machine)
    const isWanted =
      this.journal.peek().unfinished().length > 0 ||
      this.machines.some(({ processes }) =>
        [...processes.values()].some(({ name }) => /\/(operator|start-)/.test(name))
      )
    this.watch.called(button.machine, isWanted, this.queenStore.hives.get(site?.id ?? "")?.sleep?.woke_ms ?? [])
  }

  /** The queen's and the keepers' machine. */
  get first(): Machine {
    const [first] = this.machines
    if (first === undefined) throw new Error("a plan has at least one hive")
    return first
  }

  settingsOf(hiveId: HiveId): Settings {
    const nowhere = "/nowhere"
    return {
      ...defaults,
      isWoken: true,
      queen: { ...defaults.queen, host: "localhost", port: queenPort },
      hive: { ...defaults.hive, id: hiveId, host: this.hives.get(hiveId)?.host ?? "", port: hivePort },
      worker: { ...defaults.worker, context: usualContext },
      home: { state: nowhere, logs: nowhere, config: nowhere },
      version: "simulated"
    }
  }

  /** A hive as the far end of SSH launches it. */
  private hiveHere(id: HiveId, url: string): HiveHere {
    const { home } = this.settingsOf(id)
    return {
      id,
      folder: hiveFolder(home, id),
      program: { command: "node", args: [files.hive], env: {}, logFile: `${home.logs}/hive-${id}.log` },
      url,
      port: hivePort,
      otherPort: "",
      logs: ""
    }
  }

  /** Its state file is written. */
  hiveIsUp(id: HiveId, process: SimProcess): void {
    const site = this.hives.get(id)
    if (site !== undefined) site.running = process
  }

  hiveIsClaimed(id: HiveId, process: SimProcess): void {
    this.watch.isUp(process.machine)
    const site = this.hives.get(id)
    if (site !== undefined) site.claimed = process
  }

  /** A hive that no queen has claimed: it ends by itself. */
  isUnclaimed(process: SimProcess): boolean {
    return [...this.hives.values()].some(({ claimed, running }) => running === process && claimed !== process)
  }

  /** Does this start of a worker fail? */
  bootFails(process: SimProcess): boolean {
    for (const site of this.hives.values()) {
      if (site.machine !== process.machine || site.bootFailures === 0) continue
      site.bootFailures--
      return true
    }
    return false
  }

  /** Living processes of a role, in the order of their start. */
  living(role: "worker" | "hive" | "queen" | "keeper" | "client"): ReadonlyArray<SimProcess> {
    return this.machines.flatMap((machine) =>
      [...machine.processes.values()].filter(({ name }) => name.includes(`/${role}`))
    )
  }

  /** Nothing runs but the machines themselves. */
  get isOver(): boolean {
    return this.left().length === 0
  }

  /** Everything that runs, but for the machines themselves; what sleeps with its machine ends when that is awake. */
  left(): ReadonlyArray<SimProcess> {
    return this.machines.flatMap((machine) =>
      [...machine.processes.values()].filter(({ isFrozen, name }) => !isFrozen && !name.includes("/system"))
    )
  }
}
