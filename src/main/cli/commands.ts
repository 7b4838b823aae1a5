/** All commands of `rbee`, as they are declared to the parser, the help and the shells' completions. */
import { chat, infer, run } from "./commands/infer-command.ts"
import { entryCommands } from "./entries/commands.ts"
import { lazily } from "./lazily.ts"
import { peopleCommands } from "./people/commands.ts"
import { ranges } from "../../machines/vocabulary/common.ts"
import {
  atLeast,
  type Declared,
  declare,
  flag,
  id,
  number,
  port as portNumber,
  taking,
  text,
  type ValueKind,
  type Values,
  type Words
} from "./spec.ts"
import { HiveId, DeviceId } from "../../machines/vocabulary/ids.ts"

const json = { json: flag("json", "print JSON") }
const alias: Words = {
  name: "ALIAS",
  doc: "the hive; this machine's own by default",
  min: 0,
  max: 1,
  values: "hives"
}
const one = (name: string, doc: string, values?: ValueKind): Words => ({
  name,
  doc,
  min: 1,
  max: 1,
  ...(values === undefined ? {} : { values })
})
const lines = number("lines", "N", "lines from the end; 100 by default", { ...atLeast(0), alias: "n" })
const daemons = () => import("./commands/daemons.ts")
const lists = () => import("./commands/lists.ts")
const models = () => import("./commands/models.ts")

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
      () => import("./doctor/doctor.ts"),
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

const hivesStart = declare({
  path: ["hives", "start"],
  summary: "start a hive, and the queen before it",
  examples: ["rbee hives start", "rbee hives start gpu-box --take-over"],
  words: alias,
  flags: { takeOver: flag("take-over", "also when it belongs to another queen") },
  run: (values, words, context) => lazily(daemons, (module) => module.hivesStart(words[0], values.takeOver, context))
})
const hivesStop = declare({
  path: ["hives", "stop"],
  summary: "stop a hive and its workers",
  examples: ["rbee hives stop"],
  words: alias,
  flags: {},
  run: (_, words, context) => lazily(daemons, (module) => module.hivesStop(words[0], context))
})
const hivesStatus = declare({
  path: ["hives", "status"],
  summary: "is a hive running? exit code 3 when not",
  examples: ["rbee hives status", "rbee hives status localhost --json"],
  words: alias,
  flags: json,
  run: (values, words, context) => lazily(lists, (module) => module.hiveStatus(words[0], values.json, context))
})

const remotes = () => import("./commands/remote-hives.ts")
const remote = one("ALIAS", "the hive", "hives")

const hivesAdd = declare({
  path: ["hives", "add"],
  summary: "add a machine that ssh reaches; nothing is changed there yet",
  examples: ["rbee hives add gpu-box", "rbee hives add gpu-box --host 10.0.0.7 --user me --accept-new-host-key"],
  words: one("ALIAS", "a Host of ~/.ssh/config, or any name with --host", "ssh-hosts"),
  flags: {
    host: text("host", "HOST", "host name or address; the alias by default"),
    user: text("user", "NAME", "user there"),
    port: number("port", "N", "port of its sshd", portNumber()),
    identity: taking("files", text("identity", "FILE", "private key, an absolute path")),
    hivePort: number("hive-port", "N", "where its hive listens; 8600 by default", portNumber()),
    direct: flag(
      "direct",
      "HTTP over the network with a token instead of through SSH: faster, for a network that you trust"
    ),
    node: text("node", "PATH", "Node there, where it is not in the PATH"),
    hostKey: text(
      "host-key",
      "SHA256:…",
      "the fingerprint of its host key, which is recorded; asked for on a terminal"
    ),
    acceptNewHostKey: flag("accept-new-host-key", "take a host key that was never seen for right, and record it")
  },
  run: (values, words, context) => lazily(remotes, (module) => module.add(words[0] ?? "", values, context))
})
const hivesInvite = declare({
  path: ["hives", "invite"],
  summary: "a token by which a hive that you start by hand joins: once, under this name, within the hour",
  examples: [
    "rbee hives invite attic   # prints what to start it with",
    "rbee hives invite attic --url http://10.0.0.7:8600 --direct"
  ],
  words: one("NAME", "the hive's name, its RBEE_HIVE_ID"),
  flags: {
    url: text("url", "URL", "where it will be reached, http://ADDRESS:PORT; on this machine's loopback by default"),
    direct: flag("direct", "that address is of a network that you trust: HTTP goes there unencrypted")
  },
  run: (values, words, context) => lazily(remotes, (module) => module.invite(words[0] ?? "", values, context))
})
const hivesShow = declare({
  path: ["hives", "show"],
  summary: "one hive, and what its machine says of itself",
  examples: ["rbee hives show gpu-box", "rbee hives show gpu-box --json"],
  words: remote,
  flags: json,
  run: (values, words, context) => lazily(remotes, (module) => module.show(words[0] ?? "", values.json, context))
})
const hivesRemove = declare({
  path: ["hives", "rm"],
  summary: "forget a hive that does not run",
  examples: ["rbee hives rm gpu-box"],
  words: remote,
  flags: {},
  run: (_, words, context) => lazily(remotes, (module) => module.remove(words[0] ?? "", context))
})
const install = (name: "install" | "upgrade") =>
  declare({
    path: ["hives", name],
    summary:
      name === "install"
        ? "put this version of rbee on a machine that was added"
        : "put this version in the place of another; the same as install",
    examples: [`rbee hives ${name} gpu-box`],
    words: remote,
    flags: {},
    run: (_, words, context) => lazily(remotes, (module) => module.install(words[0] ?? "", context))
  })
const hivesUninstall = declare({
  path: ["hives", "uninstall"],
  summary: "remove rbee from a machine; models and logs stay",
  examples: ["rbee hives uninstall gpu-box"],
  words: remote,
  flags: {},
  run: (_, words, context) => lazily(remotes, (module) => module.uninstall(words[0] ?? "", context))
})
const hivesLogs = declare({
  path: ["hives", "logs"],
  summary: "the last lines of a hive's log, also of one on another machine",
  examples: ["rbee hives logs gpu-box", "rbee hives logs gpu-box -n 20"],
  words: alias,
  flags: { lines },
  run: (values, words, context) => lazily(remotes, (module) => module.hiveLogs(words[0], values.lines, context))
})

const list = (
  kind: "hives" | "workers" | "models" | "jobs",
  path: ReadonlyArray<string> = [kind, "ls"],
  summary = `list ${kind}`
): Declared =>
  declare({
    path,
    summary,
    examples: [`rbee ${path.join(" ")}`, `rbee ${path.join(" ")} --json`],
    flags: json,
    run: (values, _, context) => lazily(lists, (module) => module.list(kind, values.json, context))
  })

const workersStop = declare({
  path: ["workers", "stop"],
  summary: "stop a worker, or --all; its memory is free again",
  examples: ["rbee workers ls", "rbee workers stop ID", "rbee workers stop --all"],
  words: { name: "ID", doc: "the worker", min: 0, max: 1, values: "workers" },
  flags: { all: flag("all", "stop every worker") },
  run: (values, words, context) => lazily(daemons, (module) => module.workersStop(words[0], values.all, context))
})
const jobsCancel = declare({
  path: ["jobs", "cancel"],
  summary: "cancel a job",
  examples: ["rbee jobs ls", "rbee jobs cancel job-3f2a90c1d4e5b687"],
  words: one("ID", "the job", "running-jobs"),
  flags: {},
  run: (_, words, context) => lazily(daemons, (module) => module.jobCancel(words[0] ?? "", context))
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

const onHive = { hive: taking("hives", id(HiveId, "hive", "ID", "on this hive; on all that have it by default")) }
const model = one("MODEL", "the reference, for example HF:author/repo:Q4_K_M", "models")
const pull = (path: ReadonlyArray<string>, summary: string) =>
  declare({
    path,
    summary,
    examples: [`rbee ${path.join(" ")} HF:author/repo:Q4_K_M`, `rbee ${path.join(" ")} HF:author/repo --hive attic`],
    words: model,
    flags: {
      ...json,
      hive: taking("hives", id(HiveId, "hive", "ID", "the hive that fetches; this machine's own by default"))
    },
    run: (values, words, context) => lazily(models, (module) => module.pull(words[0] ?? "", values, context))
  })
const modelsScan = declare({
  path: ["models", "scan"],
  summary: "find the models that Ollama, LM Studio and others have left on this machine; they are used where they lie",
  examples: ["rbee models scan", "rbee models scan /data/models", "rbee models scan --hive attic --json"],
  words: {
    name: "FOLDER",
    doc: "besides the folders of Hugging Face, Ollama, LM Studio and llama.cpp",
    min: 0,
    max: 64
  },
  flags: { ...json, hive: id(HiveId, "hive", "ID", "on this hive's machine; this machine's own by default") },
  run: (values, words, context) =>
    lazily(
      () => import("./finding/scan.ts"),
      (module) => module.scan(words, values, context)
    )
})
const modelsSearch = declare({
  path: ["models", "search"],
  summary: "search the hub for models that are served here; nothing is woken, nothing fetched",
  examples: ["rbee models search qwen3 4b", "rbee models search coder --limit 30 --json"],
  words: { name: "WORDS", doc: "of a repository's name", min: 1, max: 32 },
  flags: { ...json, limit: number("limit", "N", "repositories; 10 by default", { whole: true, within: [1, 50] }) },
  run: (values, words, context) =>
    lazily(
      () => import("./finding/search.ts"),
      (module) => module.search(words, values, context)
    )
})
const modelsFit = declare({
  path: ["models", "fit"],
  summary: "what of a repository fits which device, with how much context, and how fast; nothing is fetched",
  examples: ["rbee models fit HF:author/repo", "rbee models fit HF:author/repo:Q4_K_M --context 32768"],
  words: one("REPO", "a repository of the hub, or any model; of what leaves a choice every one"),
  flags: {
    ...json,
    context: number("context", "TOKENS", "that a slot has to have; the usual by default", {
      whole: true,
      within: ranges.context
    })
  },
  run: (values, words, context) =>
    lazily(
      () => import("./finding/fit.ts"),
      (module) => module.fit(words[0] ?? "", values, context)
    )
})
const modelsShow = declare({
  path: ["models", "show"],
  summary: "what is known of one model: file, facts, why this file, last use",
  examples: ["rbee models show minillama", "rbee models show HF:author/repo:Q4_K_M --json"],
  words: model,
  flags: json,
  run: (values, words, context) => lazily(models, (module) => module.show(words[0] ?? "", values.json, context))
})
const modelsDialect = declare({
  path: ["models", "dialect"],
  summary: "how a model writes reasoning and tools' calls, learned from its chat template and tried",
  examples: ["rbee models dialect ./model.gguf", "rbee models dialect chat_template.jinja --json"],
  words: one("FILE", "a model's .gguf, or a chat template alone", "files"),
  flags: json,
  run: (values, words, context) =>
    lazily(
      () => import("./commands/dialect.ts"),
      (module) => module.dialect(words[0] ?? "", values.json, context)
    )
})
const modelsRm = declare({
  path: ["models", "rm"],
  summary: "remove a model; its file too, if rbee brought it",
  examples: ["rbee models rm HF:author/repo:Q4_K_M", "rbee models rm HF:author/repo:Q4_K_M --hive attic"],
  words: model,
  flags: onHive,
  run: (values, words, context) => lazily(models, (module) => module.remove(words[0] ?? "", values.hive, context))
})
const pinning = (name: "pin" | "unpin", summary: string): Declared =>
  declare({
    path: ["models", name],
    summary,
    examples: [`rbee models ${name} HF:author/repo:Q4_K_M`],
    words: model,
    flags: onHive,
    run: (values, words, context) =>
      lazily(models, (module) => module.pin(words[0] ?? "", name === "pin", values.hive, context))
  })
const modelsRetry = declare({
  path: ["models", "retry"],
  summary: "try a model again where it is not tried any more, because its workers died of it",
  examples: ["rbee models retry file:/models/a.gguf"],
  words: model,
  flags: onHive,
  run: (values, words, context) => lazily(models, (module) => module.retry(words[0] ?? "", values.hive, context))
})
const modelsGc = declare({
  path: ["models", "gc"],
  summary: "make room: the least recently used models go, down to a size",
  examples: ["rbee models gc --max-mb 50000 --dry-run", "rbee models gc --max-mb 0 --last-copies"],
  flags: {
    ...json,
    max: number("max-mb", "N", "MB of models that each hive may keep", atLeast(0)),
    lastCopies: flag("last-copies", "the last copy of a model in the cluster may go too"),
    dryRun: flag("dry-run", "tell what would go, and change nothing")
  },
  run: (values, _, context) => lazily(models, (module) => module.gc(values, context))
})

const logs = declare({
  path: ["logs"],
  summary: "show the daemons' logs",
  examples: ["rbee logs", "rbee logs worker -n 20", "rbee logs queen --follow"],
  words: {
    name: "ROLE",
    doc: "queen, hive or worker; all by default",
    min: 0,
    max: 1,
    values: ["queen", "hive", "worker"]
  },
  flags: {
    follow: flag("follow", "stay, and show what is added", "f"),
    lines
  },
  run: (values, words, context) =>
    lazily(
      () => import("./commands/logs.ts"),
      (module) => module.logs(words[0], values, context)
    )
})
const hub = declare({
  path: ["hub"],
  summary: "serve a folder of GGUF files as a hub, for machines without internet",
  examples: ["rbee hub ./models", "rbee hub ./models --port 8701"],
  words: one("DIR", "DIR/author/repo/*.gguf is HF:author/repo; DIR/*.gguf is HF:local/NAME-OF-DIR", "folders"),
  flags: {
    port: number("port", "N", "8700 by default; 0 takes a free one", { ...portNumber(0), alias: "p" }),
    host: text("host", "ADDRESS", "127.0.0.1 by default; another one is open to whoever reaches it")
  },
  run: (values, words, context) =>
    lazily(
      () => import("./commands/hub.ts"),
      (module) => module.hub(words[0] ?? "", values, context)
    )
})
const openPage = declare({
  path: ["open"],
  summary: "let a browser in: a link that works once gives it the rights of the cluster's token",
  examples: ["rbee open", "rbee open --print   # only the link"],
  flags: { print: flag("print", "print the link, open no browser") },
  run: (values, _, context) =>
    lazily(
      () => import("./commands/inspect.ts"),
      (module) => module.open(values.print, context)
    )
})
const inspect = declare({
  path: ["inspect"],
  summary: "see the cluster think: a page with every actor, or with a recorded trace",
  examples: ["rbee inspect", "rbee inspect trace.jsonl", "rbee inspect --print   # only the address"],
  words: {
    name: "FILE",
    doc: "a trace, saved by the page or by the simulator; the running cluster by default",
    min: 0,
    max: 1,
    values: "files"
  },
  flags: {
    print: flag("print", "print the address, open no browser"),
    port: number("port", "N", "for a FILE; a free one by default", { ...portNumber(0), alias: "p" })
  },
  run: (values, words, context) =>
    lazily(
      () => import("./commands/inspect.ts"),
      (module) => module.inspect(words[0], values, context)
    )
})
const simulate = declare({
  path: ["simulate"],
  summary: "run the whole cluster on virtual time, under faults that a seed draws",
  examples: ["rbee simulate --seeds 100", "rbee simulate --seed 7 --trace seed-7.jsonl"],
  words: {
    name: "FILE",
    doc: "with --trace: what `rbee inspect FILE` shows; seed-N.jsonl by default",
    min: 0,
    max: 1,
    values: "files"
  },
  flags: {
    seed: number("seed", "N", "one seed; the same one runs the same way everywhere", atLeast(0)),
    seeds: number("seeds", "N", "a batch, from seed 1 on; what breaks is shrunk", atLeast(1)),
    trace: flag("trace", "with --seed: print its event log, and write FILE"),
    coverage: flag("coverage", "with --seeds: which states and transitions of the charts were not reached")
  },
  run: ({ coverage, seed, seeds, trace }, words, context) =>
    lazily(
      () => import("./commands/simulate.ts"),
      (module) =>
        module.simulate(
          [
            ...(seed === undefined ? [] : ["--seed", String(seed)]),
            ...(seeds === undefined ? [] : ["--seeds", String(seeds)]),
            ...(trace ? ["--trace"] : []),
            ...(coverage ? ["--coverage"] : []),
            ...words
          ],
          context
        )
    )
})
const completions = declare({
  path: ["completions"],
  summary: "print a completion script for bash, zsh or fish",
  examples: ['eval "$(rbee completions bash)"', "rbee completions fish > ~/.config/fish/completions/rbee.fish"],
  words: one("SHELL", "bash, zsh or fish", ["bash", "zsh", "fish"]),
  flags: {},
  run: (_, words, context) =>
    lazily(
      () => import("./completions/completions.ts"),
      (module) => module.completions(words[0] ?? "", context)
    )
})

/** What Ollama's users type. */
const serve = declare({
  path: ["serve"],
  summary: "queen and hive in the foreground, until Ctrl-C; as `rbee up --foreground`",
  examples: ["rbee serve"],
  flags: {},
  run: (_, __, context) => lazily(daemons, (module) => module.up(true, context))
})
const stop = declare({
  path: ["stop"],
  summary: "unload a model: its workers end, its memory is free again",
  examples: ["rbee ps", "rbee stop minillama"],
  words: model,
  flags: {},
  run: (_, words, context) => lazily(daemons, (module) => module.modelStop(words[0] ?? "", context))
})
const asOllama = [
  run,
  pull(["pull"], "fetch a model; as `rbee models pull`"),
  list("models", ["list"], "the models that are here; as `rbee models ls`"),
  list("workers", ["ps"], "the models that are loaded, and where; as `rbee workers ls`"),
  stop,
  serve
]

const service = () => import("../service/command.ts")
const serviceRole: Words = { name: "ROLE", doc: "queen or hive; the queen by default", min: 0, max: 1 }
const ofService = {
  user: flag("user", "of this user; the default"),
  system: flag("system", "of the machine, as root"),
  account: text("account", "USER", "with --system: as whom it runs; who called sudo by default"),
  local: flag("local", "let it reach this machine alone; a hive downloads nothing then")
}
const askedService = (
  { account, local, system, user }: Values<typeof ofService>,
  [role]: ReadonlyArray<string>
): {
  readonly role: string | undefined
  readonly system: boolean
  readonly local: boolean
  readonly account: string | undefined
} => ({
  role,
  system: system && !user,
  account,
  local
})
const serviceInstall = declare({
  path: ["service", "install"],
  summary: "have the queen, or a hive that joins one, start at boot and again when it fails",
  examples: [
    "rbee service install",
    "sudo rbee service install --system --account rbee",
    "rbee service install --print"
  ],
  words: serviceRole,
  flags: { ...ofService, print: flag("print", "write the unit to stdout, and change nothing") },
  run: (values, words, context) =>
    lazily(service, (module) => module.install(askedService(values, words), values.print, context))
})
const serviceStatus = declare({
  path: ["service", "status"],
  summary: "is it a service, and does it run? exit code 3 when not",
  examples: ["rbee service status"],
  words: serviceRole,
  flags: ofService,
  run: (values, words, context) => lazily(service, (module) => module.status(askedService(values, words), context))
})
const serviceLogs = declare({
  path: ["service", "logs"],
  summary: "show what it has said",
  examples: ["rbee service logs -n 50"],
  words: serviceRole,
  flags: { ...ofService, lines },
  run: (values, words, context) =>
    lazily(service, (module) => module.logs(askedService(values, words), values.lines ?? 100, context))
})
const serviceUninstall = declare({
  path: ["service", "uninstall"],
  summary: "end it, and have it start no more",
  examples: ["rbee service uninstall"],
  words: serviceRole,
  flags: ofService,
  run: (values, words, context) => lazily(service, (module) => module.uninstall(askedService(values, words), context))
})

export const commands: ReadonlyArray<Declared> = [
  infer,
  chat,
  up,
  down,
  upgrade,
  status,
  doctor,
  ...asOllama,
  queenStart,
  queenStop,
  queenStatus,
  hivesStart,
  hivesStop,
  hivesStatus,
  hivesAdd,
  hivesInvite,
  hivesShow,
  hivesRemove,
  install("install"),
  install("upgrade"),
  hivesUninstall,
  hivesLogs,
  list("hives"),
  list("workers"),
  workersStop,
  list("models"),
  pull(["models", "pull"], "fetch a model and wait for it; goes on where an earlier try broke off"),
  modelsSearch,
  modelsFit,
  modelsScan,
  modelsShow,
  modelsDialect,
  modelsRm,
  pinning("pin", "keep a model whatever else needs room"),
  pinning("unpin", "let gc remove a model again"),
  modelsRetry,
  modelsGc,
  ...entryCommands,
  list("jobs"),
  jobsShow,
  plan,
  jobsCancel,
  ...peopleCommands,
  serviceInstall,
  serviceStatus,
  serviceLogs,
  serviceUninstall,
  logs,
  hub,
  openPage,
  inspect,
  simulate,
  completions
]
