/** The other two ports of the launch protocol: the files of a machine, and who answers at an address. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DaemonFiles, DaemonProbe, type Ports, type Probe } from "../../layers/daemon/index.ts"
import { hiveApi } from "../../protocol/hive.ts"
import { type Network, refused } from "./network/network.ts"
import type { SimProcess } from "./process.ts"
import { layerProcesses } from "./processes.ts"
import { fact } from "../../machines/facts.ts"

const healthMs = 1000

const layerFiles = ({ machine: { files } }: SimProcess): Layer.Layer<DaemonFiles> =>
  Layer.succeed(DaemonFiles, {
    read: (file) => Effect.sync(() => files.read(file)),
    write: (file, text) => Effect.sync(() => files.write(file, text)),
    remove: (file) => Effect.sync(() => files.remove(file)),
    folders: (folder) => Effect.sync(() => files.folders(folder)),
    size: (file) => Effect.sync(() => (files.read(file) ?? "").length),
    tail: (file, offset) => Effect.sync(() => (files.read(file) ?? "").slice(offset)),
    mark: (file) => Effect.sync(() => files.read(file) ?? "gone"),
    isFull: () => Effect.succeed(false)
  })

/** Every daemon answers /health alike. */
const layerProbe = (process: SimProcess, network: Network): Layer.Layer<DaemonProbe> =>
  Layer.succeed(DaemonProbe, {
    ask: (url) =>
      network
        .connect(process, url, { health: hiveApi.health }, { timeoutMs: healthMs })
        .health({})
        .pipe(
          Effect.map((health): Probe => ({ _tag: "Daemon", health })),
          Effect.catchAll((error) =>
            Effect.succeed<Probe>({ _tag: fact(error, "reason") === refused ? "Nobody" : "Silent" })
          )
        )
  })

/** All that launchers stand on, as `process` has it. */
export const layerPorts = (process: SimProcess, network: Network): Layer.Layer<Ports> =>
  Layer.mergeAll(layerProcesses(process), layerFiles(process), layerProbe(process, network))
