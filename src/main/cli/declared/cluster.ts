/** The whole cluster, and the queen alone. */
import { lazily } from "../lazily.ts"
import { json, daemons, lists } from "./shared.ts"
import { declare, flag } from "../spec.ts"

const up = declare({
  path: ["up"],
  summary: "start queen and hive, which stay until `rbee down`",
  examples: ["rbee up", "rbee up --foreground   # stays, narrates, shuts down at Ctrl-C"],
  flags: { foreground: flag("foreground", "stay in the foreground, shut everything down at Ctrl-C", "f") },
  run: (values, _, context) => lazily(daemons, (module) => module.up(values.foreground, context))
})
const down = declare({
  path: ["down"],
  summary: "shut down workers, hives and queen",
  examples: ["rbee down"],
  flags: {},
  run: (_, __, context) => lazily(daemons, (module) => module.queenStop(true, context))
})
const upgrade = declare({
  path: ["upgrade"],
  summary: "have an older queen hand over to this version; no job is lost",
  examples: ["rbee upgrade"],
  flags: {},
  run: (_, __, context) => lazily(daemons, (module) => module.upgrade(context))
})
const status = declare({
  path: ["status"],
  summary: "what runs; exit code 3 when the queen does not",
  examples: ["rbee status", "rbee status --json"],
  flags: json,
  run: (values, _, context) => lazily(lists, (module) => module.status(values.json, context))
})

const doctor = declare({
  path: ["doctor"],
  summary:
    "what is wrong here, and the way out: Node, engine, GPUs, ports, disks, folders, ssh, hub, memory, clocks, versions",
  examples: ["rbee doctor", "rbee doctor --json"],
  flags: json,
  lenient: true,
  run: (values, _, context) =>
    lazily(
      () => import("../doctor/doctor.ts"),
      (module) => module.doctor(values.json, context)
    )
})

const queenStart = declare({
  path: ["queen", "start"],
  summary: "start the queen",
  examples: ["rbee queen start", "rbee queen start --queen-port 8510"],
  flags: {},
  run: (_, __, context) => lazily(daemons, (module) => module.queenStart(context))
})
const queenStop = declare({
  path: ["queen", "stop"],
  summary: "end the queen; hives and workers live on, unless --cascade",
  examples: ["rbee queen stop", "rbee queen stop --cascade"],
  flags: { cascade: flag("cascade", "end workers and hives too") },
  run: (values, _, context) => lazily(daemons, (module) => module.queenStop(values.cascade, context))
})
const queenStatus = declare({
  path: ["queen", "status"],
  summary: "is the queen running? exit code 3 when not",
  examples: ["rbee queen status"],
  flags: json,
  run: (values, _, context) => lazily(lists, (module) => module.queenStatus(values.json, context))
})

export const clusterCommands = [up, down, upgrade, status, doctor]
export const queenCommands = [queenStart, queenStop, queenStatus]
