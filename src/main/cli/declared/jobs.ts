/** Workers and jobs. */
import { lazily } from "../lazily.ts"
import { ranges } from "../../../machines/vocabulary/common.ts"
import { DeviceId, HiveId } from "../../../machines/vocabulary/ids.ts"
import { daemons, json, list, lists, one } from "./shared.ts"
import { type Declared, declare, flag, id, number, taking, text } from "../spec.ts"

const workersStop = declare({
  path: ["workers", "stop"],
  summary: "stop a worker, or --all; its memory is free again",
  examples: ["rbee workers ls", "rbee workers stop ID", "rbee workers stop --all"],
  words: { name: "ID", doc: "the worker", min: 0, max: 1, values: "workers" },
  flags: { all: flag("all", "stop every worker") },
  run: (values, words, context) => lazily(daemons, (module) => module.workersStop(words[0], values.all, context))
})

const cacheClear = declare({
  path: ["cache", "clear"],
  summary: "delete what hives keep of conversations, so that their next turn need not be read again",
  examples: ["rbee cache clear"],
  flags: {},
  run: (_, __, context) => lazily(daemons, (module) => module.cacheClear(context))
})
const jobsCancel = declare({
  path: ["jobs", "cancel"],
  summary: "cancel a job",
  examples: ["rbee jobs ls", "rbee jobs cancel job-3f2a90c1d4e5b687"],
  words: one("ID", "the job", "running-jobs"),
  flags: {},
  run: (_, words, context) => lazily(daemons, (module) => module.jobCancel(words[0] ?? "", context))
})
const jobsRemove = declare({
  path: ["jobs", "rm"],
  summary: "forget a job that has ended: what was asked and answered, and what hives keep of your conversations",
  examples: ["rbee jobs ls", "rbee jobs rm job-3f2a90c1d4e5b687"],
  words: one("ID", "the job", "jobs"),
  flags: {},
  run: (_, words, context) => lazily(daemons, (module) => module.jobRemove(words[0] ?? "", context))
})
const plan = declare({
  path: ["plan"],
  summary: "where a job would go now: what would be unloaded, how long it takes; nothing is changed",
  examples: ["rbee plan", "rbee plan --model HF:author/repo:Q4_K_M --no-cpu"],
  flags: {
    model: taking("models", text("model", "REF", "as for infer; minillama by default", "m")),
    hive: taking("hives", id(HiveId, "hive", "ALIAS", "on this hive")),
    device: taking("devices", id(DeviceId, "device", "ID", "on this device")),
    noCpu: flag("no-cpu", "without the CPU"),
    context: number("context", "TOKENS", "context of the answer", { whole: true, within: ranges.context }),
    ...json
  },
  run: (values, _, context) => lazily(lists, (module) => module.plan(values, context))
})
const jobsShow = declare({
  path: ["jobs", "show"],
  summary: "one job: state, placement with the losers' reasons, timings",
  examples: ["rbee jobs show job-3f2a90c1d4e5b687"],
  words: one("ID", "the job", "jobs"),
  flags: json,
  run: (values, words, context) => lazily(lists, (module) => module.showJob(words[0] ?? "", values.json, context))
})

export const workerCommands: ReadonlyArray<Declared> = [list("workers"), workersStop]
export const jobCommands: ReadonlyArray<Declared> = [list("jobs"), jobsShow, plan, jobsCancel, jobsRemove, cacheClear]
