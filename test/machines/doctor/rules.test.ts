/** Every branch of every rule: facts in, a finding out. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { type CudaFacts, cudaFinding, engineFinding } from "../../../src/machines/doctor/engine.ts"
import { diagnosisOf, type Finding, ok, warn, wrong } from "../../../src/machines/doctor/finding.ts"
import { diskFinding, folderFinding, type FolderFacts } from "../../../src/machines/doctor/folders.ts"
import { memoryFinding } from "../../../src/machines/doctor/memory.ts"
import { clockFinding, hubFinding } from "../../../src/machines/doctor/network.ts"
import { portFinding, type PortFacts } from "../../../src/machines/doctor/ports.ts"
import { leastNode, nodeFinding, settingsFinding, storeFinding } from "../../../src/machines/doctor/program.ts"
import { hostFinding, sshFinding } from "../../../src/machines/doctor/ssh.ts"
import { type HiveFacts, hiveFinding, queenFinding } from "../../../src/machines/doctor/versions.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"

type Case = readonly [what: string, found: Finding, verdict: Finding["verdict"], seen: RegExp, todo?: RegExp]

const held = (name: string, cases: ReadonlyArray<Case>) =>
  describe(name, () => {
    for (const [what, found, verdict, seen, todo] of cases)
      it(what, () => {
        expect(found.verdict).toBe(verdict)
        expect(found.seen).toMatch(seen)
        // whoever is told that something is amiss is told the way out
        if (verdict === "ok") expect(found.todo).toBeUndefined()
        else expect(found.todo).toMatch(todo ?? /./)
      })
  })

const node = (version: string, platform = "linux") => nodeFinding({ version, abi: "115", platform, arch: "x64" })
held("the rule about Node", [
  ["takes the oldest that will do", node("v20.19.0"), "ok", /Node v20\.19\.0 \(ABI 115\) on linux x64/],
  ["takes a later one, on macOS too", node("v24.1.0", "darwin"), "ok", /darwin/],
  ["refuses an older one", node("v20.18.9"), "wrong", /v20\.18\.9/, /20\.19 or later/],
  ["refuses an older major", node("v18.20.0"), "wrong", /v18/, /20\.19/],
  ["refuses what is no version", node("nightly"), "wrong", /nightly/],
  ["refuses another system", node("v22.0.0", "win32"), "wrong", /win32/, /Linux and macOS/]
])
it("asks for the Node that the package asks for", () => {
  const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as {
    readonly engines: { readonly node: string }
  }
  expect(engines.node).toBe(`>=${leastNode.major}.${leastNode.minor}`)
})

held("the rule about the store", [
  ["says that it works", storeFinding(undefined), "ok", /SQLite works/],
  ["says why it does not", storeFinding({ what: "of another Node", todo: "rebuild" }), "wrong", /other Node/, /rebuild/]
])

const settings = { file: "/c/config.toml", isThere: true, trouble: undefined, unknown: [] }
held("the rule about settings", [
  ["names the file", settingsFinding(settings), "ok", /^\/c\/config\.toml$/],
  ["says that there is none", settingsFinding({ ...settings, isThere: false }), "ok", /no \/c\/config\.toml/],
  ["tells of variables that nobody reads", settingsFinding({ ...settings, unknown: ["RBEE_X"] }), "warn", /RBEE_X/],
  [
    "says what is refused",
    settingsFinding({ ...settings, trouble: { what: "no port", todo: "T" } }),
    "wrong",
    /no port/
  ]
])

const engine = { packages: ["@x/linux-x64"], isThere: true, failure: undefined }
held("the rule about the engine", [
  ["names its package", engineFinding(engine), "ok", /@x\/linux-x64/],
  ["says that there is no build", engineFinding({ ...engine, packages: [] }), "wrong", /no build/, /another machine/],
  ["says that it will be fetched", engineFinding({ ...engine, isThere: false }), "warn", /first use/, /npm install/],
  ["says why it does not load", engineFinding({ ...engine, failure: "GLIBC" }), "wrong", /GLIBC/, /Install rbee anew/]
])

const cuda: CudaFacts = {
  hasDriver: true,
  hasTool: true,
  driver: "550.1",
  gpus: [{ name: "RTX 3090", vram_mb: 24_000, vram_free_mb: 20_000 }],
  versions: ["12"],
  unfit: undefined
}
held("the rule about CUDA", [
  ["names the cards", cudaFinding(cuda), "ok", /RTX 3090 \(20000 of 24000 MB free\), driver 550\.1, CUDA 12/],
  [
    "has nothing against a machine without",
    cudaFinding({ ...cuda, hasDriver: false, hasTool: false }),
    "ok",
    /no driver/
  ],
  ["misses the tool", cudaFinding({ ...cuda, hasTool: false }), "warn", /nvidia-smi is not/, /PATH/],
  ["misses the cards", cudaFinding({ ...cuda, gpus: [] }), "warn", /no card/, /reboot/],
  [
    "misses the libraries",
    cudaFinding({ ...cuda, versions: [], driver: undefined }),
    "warn",
    /libcublas/,
    /LD_LIBRARY_PATH/
  ],
  ["tells why the build does not work", cudaFinding({ ...cuda, unfit: "PTX" }), "warn", /PTX/, /driver/]
])

const port = (found: PortFacts["found"], role: PortFacts["role"] = "queen", id?: string) =>
  portFinding({ role, port: 8500, variable: "RBEE_QUEEN_PORT", found, id })
const daemon = { _tag: "Daemon", pid: 7 } as const
held("the rule about a port", [
  ["takes a free one", port({ _tag: "Nobody" }), "ok", /is free/],
  ["knows the queen", port({ ...daemon, role: "queen", id: "q" }), "ok", /she runs \(pid 7\)/],
  ["knows the hive by its name", port({ ...daemon, role: "hive", id: "h" }, "hive", "h"), "ok", /it runs/],
  [
    "tells of another hive",
    port({ ...daemon, role: "hive", id: "x" }, "hive", "h"),
    "wrong",
    /by hive x/,
    /RBEE_QUEEN_PORT/
  ],
  ["tells of a hive in the queen's place", port({ ...daemon, role: "hive", id: "x" }), "wrong", /by hive x/],
  ["names a stranger", port({ _tag: "Stranger", owner: "pid 9 (nginx)" }), "wrong", /nginx/, /End that program/],
  ["tells of a stranger without a name", port({ _tag: "Stranger", owner: undefined }), "wrong", /another program/],
  ["names who says nothing", port({ _tag: "Silent", owner: "pid 9" }), "wrong", /pid 9 listens/, /kill -CONT/],
  ["tells of somebody who says nothing", port({ _tag: "Silent", owner: undefined }), "wrong", /somebody listens/]
])

const there = { _tag: "There", kind: "folder", uid: 1000, mode: 0o40700, isWritable: true } as const
const folder = (found: FolderFacts["found"], more: Partial<FolderFacts> = {}) =>
  folderFinding({ what: "logs", path: "/it's", isPrivate: true, wanted: "folder", uid: 1000, found, ...more })
held("the rule about a folder", [
  ["takes one of ours alone", folder(there), "ok", /logs \/it's/],
  ["lets one be made", folder({ _tag: "Missing", canBeMade: true }), "ok", /at first use/],
  ["lets a file be made", folder({ _tag: "Missing", canBeMade: false }, { wanted: "file" }), "ok", /at first use/],
  [
    "tells of one that cannot be made",
    folder({ _tag: "Missing", canBeMade: false }),
    "wrong",
    /cannot be made/,
    /RBEE_HOME/
  ],
  [
    "tells what moves the folder of models",
    folder({ _tag: "Missing", canBeMade: false }, { what: "models" }),
    "wrong",
    /models/,
    /HF_HOME/
  ],
  ["tells of one that cannot be seen", folder({ _tag: "Unreadable", code: "EACCES" }), "wrong", /EACCES/],
  ["refuses a file in its place", folder({ ...there, kind: "file" }), "wrong", /is no folder/, /Move it/],
  ["refuses somebody else's", folder({ ...there, uid: 0 }), "wrong", /user id 0/, /chown -R 1000 '\/it'\\''s'/],
  [
    "refuses one that is read-only",
    folder({ ...there, isWritable: false }),
    "wrong",
    /cannot be written/,
    /chmod u\+rwX/
  ],
  [
    "refuses one that others write",
    folder({ ...there, mode: 0o40770 }),
    "wrong",
    /by others \(mode 0770\)/,
    /chmod 700/
  ],
  ["warns of one that others read", folder({ ...there, mode: 0o40755 }), "warn", /read by others/, /chmod 700/],
  ["lets others read what is not private", folder({ ...there, mode: 0o40755 }, { isPrivate: false }), "ok", /logs/],
  [
    "refuses a secret that others read",
    folder({ ...there, kind: "file", mode: 0o100644 }, { wanted: "file" }),
    "wrong",
    /mode 0644/,
    /chmod 600/
  ]
])

const disk = (freeBytes: number | undefined, what: "state" | "models" = "state") =>
  diskFinding({ what, folder: "/d", freeBytes })
held("the rule about a disk", [
  ["has room", disk(71e9), "ok", /71 GB free for state in \/d/],
  ["has little", disk(0.5e9), "warn", /500 MB/, /RBEE_HOME/],
  ["has none", disk(10e6), "wrong", /10 MB/],
  ["has little for models", disk(2e9, "models"), "warn", /2000 MB/, /HF_HOME/],
  ["has none for models", disk(0.1e9, "models"), "wrong", /100 MB/],
  ["does not tell", disk(undefined), "ok", /does not tell/]
])

const memory = (freeBytes: number, group?: { limit: number; used: number }) =>
  memoryFinding({ totalBytes: 32e9, freeBytes, group })
held("the rule about memory", [
  ["has enough", memory(16e9), "ok", /16000 MB of 32000 MB free/],
  ["has little", memory(0.4e9), "warn", /400 MB of/, /rbee ps/],
  ["is bound", memory(16e9, { limit: 4e9, used: 1e9 }), "ok", /3000 MB free of the 4000 MB that a control group/],
  ["is bound tightly", memory(16e9, { limit: 1e9, used: 0.9e9 }), "warn", /100 MB free/, /Raise the limit/],
  ["is bound beyond what is there", memory(16e9, { limit: 64e9, used: 1e9 }), "ok", /of 32000 MB free/],
  ["has little, whatever binds it", memory(0.4e9, { limit: 4e9, used: 1e9 }), "warn", /400 MB/, /rbee ps/],
  ["took more than the group has", memory(16e9, { limit: 1e9, used: 2e9 }), "warn", /0 MB free/]
])

const sshOf = { version: "OpenSSH_9.2p1", agent: "answers", hives: 2 } as const
held("the rule about ssh", [
  ["is fine", sshFinding(sshOf), "ok", /OpenSSH_9\.2p1, agent: answers; 2 hives are/],
  ["is not needed", sshFinding({ version: undefined, agent: "dead", hives: 0 }), "ok", /no hive is/],
  ["is missing", sshFinding({ ...sshOf, version: undefined, hives: 1 }), "warn", /1 hive is/, /openssh-client/],
  ["has a dead agent", sshFinding({ ...sshOf, agent: "dead" }), "warn", /SSH_AUTH_SOCK/, /ssh-add/],
  ["does without an agent", sshFinding({ ...sshOf, agent: "none" }), "ok", /agent: none/]
])
const host = { hive: "attic", host: "[10.0.0.7]:2222", isKnown: true, trouble: undefined }
held("the rule about a host", [
  ["is known", hostFinding(host), "ok", /\[10\.0\.0\.7\]:2222 \(hive attic\) is known/],
  ["is not known", hostFinding({ ...host, isKnown: false }), "wrong", /is not known/, /ssh -p 2222 10\.0\.0\.7 true/],
  [
    "is not known at the usual port",
    hostFinding({ ...host, host: "box", isKnown: false }),
    "wrong",
    /box/,
    /ssh box true/
  ],
  ["has other trouble", hostFinding({ ...host, trouble: { what: "W", todo: "T" } }), "wrong", /hive attic: W/, /^T$/]
])

const hub = { endpoint: "https://hub", isOffline: false, hasToken: false, status: 200, trouble: undefined }
held("the rule about the hub", [
  ["answers", hubFinding(hub), "ok", /https:\/\/hub answers/],
  ["answers something", hubFinding({ ...hub, status: 404 }), "ok", /answers/],
  ["is not asked", hubFinding({ ...hub, isOffline: true, status: undefined }), "ok", /HF_HUB_OFFLINE/],
  ["cannot be reached", hubFinding({ ...hub, trouble: { what: "ENOTFOUND", todo: "T" } }), "warn", /ENOTFOUND/, /^T$/],
  ["does not know the token", hubFinding({ ...hub, hasToken: true, status: 401 }), "warn", /token/, /HF_TOKEN/],
  ["does not speak to everybody", hubFinding({ ...hub, status: 401 }), "ok", /answers/],
  ["is in trouble", hubFinding({ ...hub, status: 503 }), "warn", /503/, /later/]
])
const clock = (aheadMs: number) => clockFinding({ with: "hive attic", aheadMs })
held("the rule about clocks", [
  ["agree", clock(-4900), "ok", /agrees with hive attic/],
  ["are a little apart", clock(6000), "warn", /6 s ahead of/, /time server/],
  ["are far apart", clock(-400_000), "wrong", /400 s behind/]
])

const hive: HiveFacts = {
  hive: HiveId.make("attic"),
  isRemote: true,
  running: "1.0.0",
  installed: "1.0.0",
  trouble: undefined,
  isAwake: true
}
const trouble = { what: "no answer", todo: "T" }
held("the rule about versions", [
  ["the queen sleeps", queenFinding("1.0.0", undefined), "ok", /rbee 1\.0\.0; the queen sleeps/],
  ["the queen is of this one", queenFinding("1.0.0", "1.0.0"), "ok", /the queen too/],
  ["the queen is of another", queenFinding("1.0.0", "0.9.0"), "wrong", /rbee 0\.9\.0/, /rbee upgrade/],
  ["a hive is of this one", hiveFinding("1.0.0", hive), "ok", /hive attic: rbee 1\.0\.0$/],
  ["a hive sleeps", hiveFinding("1.0.0", { ...hive, running: undefined }), "ok", /asleep/],
  [
    "a hive of this machine sleeps",
    hiveFinding("1.0.0", { ...hive, isRemote: false, running: undefined, installed: undefined }),
    "ok",
    /rbee 1\.0\.0, asleep/
  ],
  [
    "a hive runs another",
    hiveFinding("1.0.0", { ...hive, running: "0.9.0" }),
    "wrong",
    /runs rbee 0\.9/,
    /hives stop attic/
  ],
  [
    "a hive has another",
    hiveFinding("1.0.0", { ...hive, running: undefined, installed: "0.9.0" }),
    "wrong",
    /has rbee/,
    /upgrade attic/
  ],
  [
    "a hive has none",
    hiveFinding("1.0.0", { ...hive, running: undefined, installed: undefined }),
    "warn",
    /not installed/,
    /install attic/
  ],
  [
    "a hive that is counted on is not reached",
    hiveFinding("1.0.0", { ...hive, trouble }),
    "wrong",
    /attic: no answer/,
    /^T$/
  ],
  ["a hive that sleeps is not reached", hiveFinding("1.0.0", { ...hive, isAwake: false, trouble }), "warn", /no answer/]
])

it("says that all is well unless something is wrong", () => {
  expect(diagnosisOf("1", [ok("a", "b"), warn("a", "b", "c")]).well).toBe(true)
  expect(diagnosisOf("1", [ok("a", "b"), wrong("a", "b", "c")])).toMatchObject({ version: "1", well: false })
})
