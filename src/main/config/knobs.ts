/**
 * Every setting that a user can change, once: the reader, its error messages, the environment variables, the keys of
 * the config file and the table of docs/configuration.md all come from this list. A knob `queen.port` is `RBEE_QUEEN_PORT` in the
 * environment and `port` under `[queen]` in the file. Defaults are those of `src/layers/settings`.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { optionDecoder } from "../../machines/formats/json/decode.ts"
import { defaults } from "../../layers/settings/defaults.ts"
import { GpuSetting } from "../../machines/vocabulary/device.ts"

export type Value = string | number | boolean | ReadonlyArray<GpuSetting> | ReadonlyArray<string>

export interface Kind {
  /** what is accepted, in words, for the error message */
  readonly accepts: string
  /** `undefined`: refused */
  readonly read: (value: unknown) => Value | undefined
}

const integer = (accepts: string, min: number, max: number): Kind => ({
  accepts,
  read: (value) => {
    const number = typeof value === "string" && /^[0-9]{1,15}$/.test(value.trim()) ? Number(value) : value
    return typeof number === "number" && Number.isInteger(number) && number >= min && number <= max ? number : undefined
  }
})
const text = (accepts: string, pattern: RegExp): Kind => ({
  accepts,
  read: (value) => (typeof value === "string" && pattern.test(value) ? value : undefined)
})
const port = integer("a port, 1 to 65535", 1, 65_535)
/** a timer of Node holds at most 2^31 - 1 ms */
const milliseconds = integer("milliseconds, a whole number from 1 to 2147483647", 1, 2_147_483_647)
/** a time that may not come */
const untilNever: Kind = {
  accepts: `${milliseconds.accepts}, or "never"`,
  read: (value) =>
    value === "never" || value === Number.POSITIVE_INFINITY ? Number.POSITIVE_INFINITY : milliseconds.read(value)
}
const count = integer("a whole number from 1 to 1000000", 1, 1_000_000)
const tokens = integer("tokens, a whole number from 16 to 16777216", 16, 16_777_216)
const rate: Kind = {
  accepts: "tokens a second, a number above 0",
  read: (value) => {
    const number = typeof value === "string" && /^[0-9]+(\.[0-9]+)?$/.test(value.trim()) ? Number(value) : value
    return typeof number === "number" && Number.isFinite(number) && number > 0 ? number : undefined
  }
}
/** in the environment and in flags parted by commas or spaces */
const list = (accepts: string, pattern: RegExp): Kind => ({
  accepts: `${accepts}; several as a list, or parted by commas`,
  read: (value) => {
    const items: unknown =
      value === "[]" ? [] : typeof value === "string" ? value.split(/[,\s]+/).filter(Boolean) : value
    const isItem = (item: unknown): item is string => typeof item === "string" && pattern.test(item)
    return Array.isArray(items) && items.every(isItem) ? items : undefined
  }
})
const origins = list(
  'origins such as https://ui.example, chrome-extension://abc or "null"',
  /^(null|[a-z][a-z0-9+.-]*:\/\/[^\s,/*]*\/?)$/i
)
const hosts = list("names such as box.lan", /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/)
const anyWords = list("a program and its arguments, such as systemctl suspend", /^[\x21-\x7e]{1,1024}$/)
const words: Kind = {
  accepts: anyWords.accepts,
  read: (value) => {
    const read = anyWords.read(value)
    return Array.isArray(read) && read.length > 0 ? read : undefined
  }
}
const yesOrNo: Kind = {
  accepts: "true or false",
  read: (value) =>
    typeof value === "boolean" ? value : value === "true" ? true : value === "false" ? false : undefined
}
const kvType = text("f16 or q8_0", /^(f16|q8_0)$/)
const vulkan = text("auto, on or off", /^(auto|on|off)$/)
const exact = text("auto, always or off", /^(auto|always|off)$/)
const host = text("an address to listen on, for example 127.0.0.1", /^[A-Za-z0-9.:_-]{1,253}$/)
const queenUrl = text("http://ADDRESS:PORT", /^http:\/\/[A-Za-z0-9.:[\]_-]{1,253}$/)
const path = text("an absolute path", /^\/.{1,1023}$/)
const id = text("letters, digits, `.`, `_` and `-`, at most 64", /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)

const decodeGpus = optionDecoder(Schema.Array(GpuSetting), { onExcessProperty: "error" })
const decodeGpusText = optionDecoder(Schema.parseJson(Schema.Array(GpuSetting)), {
  onExcessProperty: "error"
})
const gpus: Kind = {
  accepts:
    'tables with id ("gpu0"), name ("RTX 3090"), backend (cuda, vulkan, metal), vram_mb and leave_mb; as JSON in the environment',
  read: (value) => {
    const read = Option.getOrUndefined(typeof value === "string" ? decodeGpusText(value) : decodeGpus(value))
    return read !== undefined && new Set(read.map(({ id }) => id)).size === read.length ? read : undefined
  }
}

export interface Knob {
  readonly section: "queen" | "hive" | "worker" | "shutdown"
  /** the field of Settings */
  readonly field: string
  /** the key in the file, snake_case */
  readonly key: string
  readonly kind: Kind
  readonly unit: string
  readonly doc: string
}

const knob =
  (section: Knob["section"]) =>
  (field: string, kind: Kind, unit: string, doc: string): Knob => ({
    section,
    field,
    key: field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    kind,
    unit,
    doc
  })
const queen = knob("queen")
const hive = knob("hive")
const worker = knob("worker")
const shutdown = knob("shutdown")

export const knobs: ReadonlyArray<Knob> = [
  queen("host", host, "address", "where the queen listens; anything but loopback needs a token"),
  queen("port", port, "port", "the queen's port"),
  queen("ollamaPort", port, "port", "a second one for Ollama's clients, who look at 11434; unset: none"),
  queen(
    "origins",
    origins,
    "origins",
    "pages that may call `/v1` from a browser, besides this machine's and those of app:, tauri: and vscode-webview:; `null` lets in files, and any sandboxed frame of any site"
  ),
  queen("hosts", hosts, "names", "by which this machine may be called, besides addresses and its own names"),
  queen("idleMs", untilNever, "ms", "a queen without work ends after this time, or `never`"),
  queen("queueMax", count, "jobs", "jobs that may wait; one more is QUEUE_FULL"),
  queen("capabilitiesMs", milliseconds, "ms", "a hive's devices are asked again after this time"),
  queen("retentionMs", milliseconds, "ms", "ended jobs are forgotten after this time"),
  queen("retentionJobs", count, "jobs", "and beyond this many"),
  queen(
    "requireToken",
    yesOrNo,
    "true, false",
    "asking models needs the token on loopback too; unset: where you chose a token"
  ),
  queen(
    "tlsCert",
    path,
    "path",
    "certificate with its chain, PEM: who comes from elsewhere speaks TLS; with `tls_key`, or `cert` and `key` under `[queen.tls]`"
  ),
  queen("tlsKey", path, "path", "its private key, PEM"),
  queen("sshConfig", path, "path", "the ssh configuration instead of `~/.ssh/config`, as `ssh -F`"),
  hive("id", id, "name", "the name of this machine's hive"),
  hive("host", host, "address", "where the hive listens; anything but loopback needs a token"),
  hive("port", port, "port", "the hive's port"),
  hive("idleMs", untilNever, "ms", "an idle hive that nobody uses ends after this time, or `never`"),
  hive("idleColdMs", milliseconds, "ms", "the same, when a `--cold` session woke it, or nobody has ever asked for it"),
  hive("heartbeatMs", milliseconds, "ms", "how often a hive reports to its queen"),
  hive("lateMs", milliseconds, "ms", "a silent hive is degraded after this time"),
  hive("lostMs", milliseconds, "ms", "and lost after this time"),
  hive("downloads", count, "models", "fetched side by side; one more waits"),
  hive("gpus", gpus, "`[[hive.gpus]]`", "GPUs that stand in for hardware, and caps on devices that are there"),
  hive(
    "vulkan",
    vulkan,
    "`auto`, `on`, `off`",
    "GPUs that CUDA does not serve: `on` installs what they need (81 MB), `auto` where a card of AMD's or NVIDIA's has 2 GB and more"
  ),
  hive(
    "suspendCommand",
    words,
    "words",
    "what puts this machine to sleep: a program and its arguments, run without a shell"
  ),
  hive(
    "queen",
    queenUrl,
    "url",
    "the queen that a hive joins by `RBEE_HIVE_INVITE`; unset: the one of `queen.port` here"
  ),
  worker("portBase", port, "port", "first port that a worker tries; the next free one is taken"),
  worker("slots", integer("a whole number from 1 to 256", 1, 256), "slots", "answers that a worker decodes together"),
  worker(
    "context",
    tokens,
    "tokens",
    "context of a slot where a request asks for none and needs no more; unset: what fits, at most 32768"
  ),
  worker("kvType", kvType, "type", "how the KV cache is kept: f16, or q8_0 in half the memory, slightly rounded"),
  worker("threads", integer("a whole number from 1 to 1024", 1, 1024), "threads", "CPU threads; unset: chosen"),
  worker("maxTokensPerS", rate, "tokens/s", "pacing of every answer; unset: off"),
  worker("idleMs", milliseconds, "ms", "an idle worker unloads after this time"),
  worker(
    "parkMb",
    integer("MB, a whole number from 0 to 100000000", 0, 100_000_000),
    "MB",
    "conversations are kept on disk up to this size, so that the next turn need not be read again; 0: they are not"
  ),
  worker(
    "exact",
    exact,
    "`auto`, `always`, `off`",
    "what it may cost that an answer which goes on elsewhere is the undisturbed one: `auto` 5 % of the tokens a second, `always` whatever is needed, `off` nothing"
  ),
  worker(
    "sharePrefix",
    yesOrNo,
    "true, false",
    "what was read for one key serves others, too: how long an answer takes tells them what others have asked"
  ),
  shutdown("drainMs", milliseconds, "ms", "running answers may finish until then"),
  shutdown("workersMs", milliseconds, "ms", "workers that are left then are killed"),
  shutdown("hivesMs", milliseconds, "ms", "hives that are left then are killed")
]

/** `queen.port`: how flags and messages name it */
export const nameOf = (knob: Knob): string => `${knob.section}.${knob.key}`
/** `RBEE_QUEEN_PORT` */
export const variableOf = (knob: Knob): string => `RBEE_${knob.section}_${knob.key}`.toUpperCase()
/** undefined: unset */
export const defaultOf = (knob: Knob): Value | undefined =>
  (defaults[knob.section] as Readonly<Record<string, Value | undefined>>)[knob.field]
/** as it stands in the environment and in messages */
export const textOf = (value: Value): string =>
  typeof value !== "object"
    ? value === Number.POSITIVE_INFINITY
      ? "never"
      : String(value)
    : value.length > 0 && value.every((item) => typeof item === "string")
      ? value.join(",")
      : JSON.stringify(value)
