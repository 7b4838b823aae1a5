/** What the queen says of machines, as the page shows it. */
import { isObject } from "../../machines/formats/json/is-object.ts"
import { megabytes, seconds } from "../kit/amounts.ts"
import { type Fields, fields, maybeNumber, maybeText, number, objects, text, texts } from "../kit/fields.ts"

export interface Hive {
  readonly id: string
  readonly state: string
  readonly devices: ReadonlyArray<string>
  /** `user@host`; undefined: the queen's own machine, or one that joined by itself */
  readonly ssh: string | undefined
  /** how its machine sleeps and is woken; undefined: it is always on */
  readonly power: string | undefined
}

const devicesIn = (devices: unknown): ReadonlyArray<string> => {
  if (!isObject(devices)) return []
  const cpu = isObject(devices["cpu"]) ? [devices["cpu"]] : []
  const free = (free_mb: unknown, all_mb: unknown) =>
    `${megabytes(number(free_mb))} of ${megabytes(number(all_mb))} free`
  return [
    ...objects(devices["gpus"]).map(
      (gpu) => `${text(gpu["id"]).toUpperCase()} ${text(gpu["name"])}: ${free(gpu["vram_free_mb"], gpu["vram_mb"])}`
    ),
    ...cpu.map((one) => `CPU, ${number(one["cores"])} cores: ${free(one["ram_free_mb"], one["ram_mb"])}`)
  ]
}

const placeIn = (ssh: unknown): string | undefined => {
  if (!isObject(ssh)) return undefined
  const user = maybeText(ssh["user"])
  return `${user === undefined ? "" : `${user}@`}${text(ssh["host"])}`
}

const powerIn = (power: unknown, usuallyS: number | undefined): string | undefined => {
  if (!isObject(power)) return undefined
  const after = maybeNumber(power["sleep_after_s"])
  return [
    ...(after === undefined ? [] : [`sleeps when it was idle for ${seconds(after)}`]),
    `is woken by a request (${text(power["mac"])})`,
    ...(usuallyS === undefined ? [] : [`usually up in ${seconds(usuallyS)}`])
  ].join(", ")
}

export const hiveIn = (hive: Fields): Hive => ({
  id: text(hive["id"]),
  state: text(hive["state"]),
  devices: devicesIn(hive["devices"]),
  ssh: placeIn(hive["ssh"]),
  power: powerIn(hive["power"], maybeNumber(hive["usually_up_s"]))
})

export const hivesIn = (answer: unknown): ReadonlyArray<Hive> => objects(answer).map(hiveIn)

export interface Worker {
  readonly id: string
  readonly hive: string
  readonly model: string
  readonly device: string
  readonly state: string
  readonly memoryMb: number
  readonly busy: number
  readonly slots: number
}

export const workersIn = (answer: unknown): ReadonlyArray<Worker> =>
  objects(answer).map((worker) => ({
    id: text(worker["id"]),
    hive: text(worker["hive"]),
    model: text(worker["model"]),
    device: text(worker["device"]),
    state: text(worker["state"]),
    memoryMb: number(worker["memory_mb"]),
    busy: number(worker["busy"]),
    slots: number(worker["slots"])
  }))

/** What was found on a machine over SSH, a line each. */
export const machineLines = (answer: unknown): ReadonlyArray<string> => {
  const one = fields(answer)
  const ahead = number(one["clock_ahead_ms"])
  const tools = texts(one["gpu_tools"])
  const hive = fields(one["hive"])
  return [
    `${text(one["platform"])} ${text(one["arch"])}, ${number(one["cores"])} cores, ${megabytes(number(one["ram_free_mb"]))} of ${megabytes(number(one["ram_mb"]))} of memory free`,
    `${megabytes(number(one["disk_free_mb"]))} free on its disk`,
    `Node ${text(one["node"])}`,
    `tools for GPUs: ${tools.length === 0 ? "none" : tools.join(", ")}`,
    `answers in ${Math.round(number(one["latency_ms"]))} ms${Math.abs(ahead) > 5000 ? `; its clock is off by ${Math.round(ahead / 1000)} s` : ""}`,
    ...(hive["pid"] === undefined ? [] : [`a hive runs there, of rbee ${text(hive["version"])}`])
  ]
}

/** `12:04:05 INFO what it said, field=value`; what is no JSON (a crash of the runtime) as it is. */
export const logLine = (line: string): string => {
  try {
    const entry: unknown = JSON.parse(line)
    if (!isObject(entry)) return line
    const { annotations, cause, logLevel, message, timestamp } = entry
    const said = Array.isArray(message) ? message.map(String).join(" ") : String(message ?? "")
    const more = Object.entries(fields(annotations)).map(([name, value]) => ` ${name}=${String(value)}`)
    return `${text(timestamp).slice(11, 19)} ${text(logLevel)} ${said}${more.join("")}${cause === undefined ? "" : ` ${String(cause)}`}`
  } catch {
    return line
  }
}

/** A machine that could be added. */
export interface Candidate {
  readonly name: string
  /** what ssh reaches it by, where that is not its name */
  readonly host: string
  readonly port: number | undefined
  readonly foundIn: string
  readonly mac: string
  /** it is this hive already, or cannot be added as it is */
  readonly obstacle: string | undefined
}

export const candidatesIn = (answer: unknown): ReadonlyArray<Candidate> =>
  objects(fields(answer)["machines"]).map((one) => {
    const seen = texts(one["found_in"])
    const hive = maybeText(one["hive"])
    // ssh's configuration knows how, by the name
    const isNamed = seen.includes("ssh configuration")
    return {
      name: text(one["name"]),
      host: isNamed ? "" : text(one["address"]),
      port: isNamed ? undefined : maybeNumber(one["port"]),
      foundIn: seen.join(", "),
      mac: text(one["mac"]),
      obstacle: hive === undefined ? maybeText(one["problem"]) : `it is ${hive}`
    }
  })
