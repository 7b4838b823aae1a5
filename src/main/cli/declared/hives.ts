/** Hives, here and on other machines. */
import { lazily } from "../lazily.ts"
import { alias, daemons, json, lines, list, lists, one } from "./shared.ts"
import { type Declared, declare, flag, number, port as portNumber, taking, text } from "../spec.ts"

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

const remotes = () => import("../commands/remote-hives.ts")
const remote = one("ALIAS", "the hive", "hives")

const hivesAdd = declare({
  path: ["hives", "add"],
  summary: "add a machine that ssh reaches; nothing is changed there yet",
  examples: [
    "rbee hives add gpu-box",
    "rbee hives add gpu-box --host 10.0.0.7 --user me --accept-new-host-key",
    "rbee hives add old-pc --mac aa:bb:cc:dd:ee:ff --sleep-after 30m   # also of one that was added before"
  ],
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
    acceptNewHostKey: flag("accept-new-host-key", "take a host key that was never seen for right, and record it"),
    mac: text("mac", "AA:BB:…", "address of its network card: its machine may sleep, and a request wakes it"),
    broadcast: text("broadcast", "ADDRESS", "of its network, where that is not one of this machine's"),
    sleepAfter: text("sleep-after", "TIME", "idle so long (30m, 2h, or never) it is put to sleep; never by default")
  },
  run: (values, words, context) => lazily(remotes, (module) => module.add(words[0] ?? "", values, context))
})
const hivesDiscover = declare({
  path: ["hives", "discover"],
  summary: "machines that could be added: of ssh's configuration, its known hosts, and what the network announces",
  examples: ["rbee hives discover", "rbee hives discover --json"],
  flags: json,
  run: (values, _, context) =>
    lazily(
      () => import("../discover/discover.ts"),
      (module) => module.discover(values.json, context)
    )
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

export const hiveCommands: ReadonlyArray<Declared> = [
  hivesStart,
  hivesStop,
  hivesStatus,
  hivesDiscover,
  hivesAdd,
  hivesInvite,
  hivesShow,
  hivesRemove,
  install("install"),
  install("upgrade"),
  hivesUninstall,
  hivesLogs,
  list("hives")
]
