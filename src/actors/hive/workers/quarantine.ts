/**
 * What a hive knows against a file on a device: files that end their worker as they are loaded are not tried there any
 * more, over restarts of the hive, until the file or the engine is another one or the user says so. Nobody else suffers
 * for such a file: whether the device is to blame instead is proven with the bundled model before anybody is told.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { CatalogError, ModelRow, QuarantineRow } from "../../../layers/hive-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { kindFor } from "../../../machines/kinds/kind.ts"
import { type Blame, isTheDevices, plainWords } from "../../../machines/policy/blame.ts"
import { workerRestarts } from "../../../machines/policy/restart.ts"
import { deviceLabel } from "../../../machines/vocabulary/device.ts"
import type { KindId } from "../../../machines/vocabulary/kind.ts"
import type { ModelView } from "../../../machines/vocabulary/model.ts"
import type { WorkerOutcome } from "../../../machines/worker-terms.ts"
import type { Device, Devices } from "../devices/devices.ts"
import type { Ports } from "../common/ports.ts"
import type { DeviceId } from "../../../machines/vocabulary/ids.ts"

/** Failures of different files that lie further apart than this tell nothing of their device, milliseconds. */
const togetherMs = 5 * 60_000

type File = Pick<ModelRow, "file" | "ref" | "sha256">
/** A file on a device, as what it is and with what loads it. */
export type Pair = Pick<QuarantineRow, "hash" | "engine" | "device"> &
  Pick<File, "file" | "ref"> & { readonly kind: KindId }

/** `file`: it is quarantined here; `device`: that is out of service; `none`: neither has anything to do with it. */
export type Verdict = "file" | "device" | "none"

type Failed = Extract<WorkerOutcome, { readonly outcome: "failed" }>

/** What tells of the device too: not what somebody ended, nor what had no memory. */
const tells: ReadonlySet<Blame> = new Set<Blame>(["file", "request", "unclear"])
const isNobodys = (blame: Blame): boolean => blame === "installation" || blame === "explained"

export class Quarantine {
  /** pairs that spent their restarts without a reason to quarantine them, until when they rest; by device and file */
  private readonly resting = new Map<string, { readonly until: number; readonly reason: string }>()
  /** device → files that failed on it since the last one that was loaded there, and when */
  private readonly failed = new Map<string, Map<string, number>>()
  private readonly ports: Ports
  private readonly devices: Devices

  constructor(ports: Ports, devices: Devices) {
    this.ports = ports
    this.devices = devices
  }

  /** `asked`: the engine that is to load it; absent: what it has anyway. */
  pair({ file, ref, sha256 }: File, device: Device, asked?: KindId): Effect.Effect<Pair> {
    return Effect.gen(this, function* () {
      const kind = kindFor(this.ports.kinds, ref, asked).id
      const stamp = yield* this.ports.models.stamp(file)
      const runtime = yield* this.ports.runtimes.find(kind, device.backend)
      const hash = `${sha256 ?? file} ${stamp}`
      return { hash, engine: runtime?.version ?? "none", device: device.id, file, ref, kind }
    })
  }

  /** Refuses a file that is not tried on this device now. */
  admit(pair: Pair): Effect.Effect<void, RbeeError<"MODEL_INVALID" | "WORKER_START_FAILED"> | CatalogError> {
    return Effect.gen(this, function* () {
      const row = (yield* this.ports.catalog.quarantine.all).find((each) => isOf(each, pair))
      if (row !== undefined) return yield* refusal(pair, row)
      const rest = this.resting.get(keyOf(pair))
      const now = yield* Clock.currentTimeMillis
      if (rest === undefined || rest.until <= now) return
      const seconds = Math.ceil((rest.until - now) / 1000)
      return yield* rbeeError(
        "WORKER_START_FAILED",
        `the workers of ${pair.ref} on ${deviceLabel(pair.device)} kept failing (${rest.reason}); the next try is in ${seconds} s`,
        `Use another device, or try at once with \`rbee models retry ${pair.ref}\`; see \`rbee logs worker\``,
        { device: pair.device, until: rest.until, resting: true }
      )
    })
  }

  /** What the failure of a worker means for its file and its device: settled before anybody hears of it. */
  charge(pair: Pair, device: Device, outcome: Failed): Effect.Effect<Verdict> {
    const { blame, reason } = outcome
    if (isNobodys(blame)) return Effect.succeed("none")
    return Effect.gen(this, function* () {
      const now = yield* Clock.currentTimeMillis
      if (blame === "file") yield* this.put(pair, now, outcome)
      else this.resting.set(keyOf(pair), { until: now + workerRestarts.periodMs, reason })
      if (!tells.has(blame)) return "none"
      const others = this.note(pair, now)
      if (isTheDevices(yield* this.ports.runtimes.prove(pair.kind, device), others.length)) {
        yield* this.devices.degrade(pair.device)
        yield* this.acquit(pair.device, others)
        return "device"
      }
      return blame === "file" ? "file" : "none"
    }).pipe(
      Effect.catchAllCause((cause) =>
        Effect.as(Effect.logError("whom to blame for a worker's failure was not settled", cause), "none" as const)
      )
    )
  }

  /** A model was loaded there: what failed before failed by itself. */
  worked({ device }: Pair): void {
    this.failed.delete(device)
  }

  /** It is tried again wherever it is asked for. */
  release({ file }: Pick<File, "file">): Effect.Effect<void, CatalogError> {
    return Effect.gen(this, function* () {
      const { quarantine } = this.ports.catalog
      for (const key of this.resting.keys()) if (key.endsWith(` ${file}`)) this.resting.delete(key)
      for (const row of yield* quarantine.all) if (row.file === file) yield* quarantine.remove(row)
    })
  }

  /** Where a file is not tried now. */
  readonly views: Effect.Effect<(row: ModelRow) => Effect.Effect<ModelView["quarantined"]>, CatalogError> =
    Effect.suspend(() =>
      Effect.map(this.ports.catalog.quarantine.all, (rows) => (model: ModelRow) => this.viewOf(model, rows))
    )

  private viewOf(model: ModelRow, rows: ReadonlyArray<QuarantineRow>): Effect.Effect<ModelView["quarantined"]> {
    const of = rows.filter(({ file }) => file === model.file)
    return Effect.gen(this, function* () {
      const views: Array<NonNullable<ModelView["quarantined"]>[number]> = []
      for (const row of of) {
        const device = yield* Effect.option(this.devices.device(row.device))
        if (device._tag === "None" || !(yield* this.isNow(row, model, device.value))) continue
        views.push({ device: row.device, engine: row.engine, reason: row.reason, last_words: row.words, since: row.at })
      }
      return views.length === 0 ? undefined : views
    })
  }

  /** File and engine are what they were. */
  private isNow(row: QuarantineRow, model: ModelRow, device: Device): Effect.Effect<boolean> {
    return Effect.exists(this.ports.kinds, ({ id }) =>
      Effect.map(this.pair(model, device, id), (pair) => isOf(row, pair))
    )
  }

  /** One row for a file and a device: what was known of an earlier file or engine is of no use any more. */
  private put(pair: Pair, at: number, { lastWords, reason }: Failed): Effect.Effect<void, CatalogError> {
    const { device, engine, file, hash } = pair
    return Effect.gen(this, function* () {
      const { quarantine } = this.ports.catalog
      const words = plainWords(lastWords)
      yield* Effect.logWarning(`${pair.ref} is not tried on ${deviceLabel(device)} any more: ${reason}; ${words}`)
      for (const row of yield* quarantine.all)
        if (row.file === file && row.device === device) yield* quarantine.remove(row)
      yield* quarantine.put({ hash, engine, device, file, reason, words, at })
    })
  }

  /** Files that failed there of late, this one included. */
  private note({ device, file }: Pair, now: number): ReadonlyArray<string> {
    const known = [...(this.failed.get(device) ?? [])].filter(([, at]) => now - at <= togetherMs)
    const files = new Map(known).set(file, now)
    this.failed.set(device, files)
    return [...files.keys()]
  }

  /** It was the device: these files are tried again when that is. */
  private acquit(device: DeviceId, files: ReadonlyArray<string>): Effect.Effect<void, CatalogError> {
    return Effect.gen(this, function* () {
      const { quarantine } = this.ports.catalog
      this.failed.delete(device)
      for (const { id: kind } of this.ports.kinds)
        for (const file of files) this.resting.delete(keyOf({ device, file, kind }))
      for (const row of yield* quarantine.all)
        if (row.device === device && files.includes(row.file)) yield* quarantine.remove(row)
    })
  }
}

const keyOf = ({ device, file, kind }: Pick<Pair, "device" | "file" | "kind">): string => `${device} ${kind} ${file}`

const isOf = (row: QuarantineRow, { device, engine, hash }: Pair): boolean =>
  row.hash === hash && row.engine === engine && row.device === device

/** Also the failure by which it came to that. */
export const refusal = (
  { device, ref }: Pick<Pair, "device" | "ref">,
  { reason, words }: Pick<QuarantineRow, "reason" | "words">,
  details: Readonly<Record<string, unknown>> = {}
): RbeeError<"MODEL_INVALID"> =>
  rbeeError(
    "MODEL_INVALID",
    `model ${ref} cannot be loaded on ${deviceLabel(device)} (${reason}${words === "" || words === reason ? "" : `: ${words}`})`,
    `Check the file, fetch it again or use another one; \`rbee models retry ${ref}\` tries it once more`,
    { ...details, device, reason, last_words: words, quarantined: true }
  )
