/**
 * What the worker program is told at its start, as JSON: its plan, its settings and its own token. Its hive tells it on
 * the control pipe, where nobody else reads; started by hand, it is the one argument.
 */
import { readSync } from "node:fs"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import { controlFd } from "../../layers/process/index.ts"
import { type Settings } from "../../layers/settings/index.ts"
import { defaults } from "../../layers/settings/defaults.ts"
import type { WorkerPlan } from "../../layers/worker-launcher/index.ts"

import { LearnedDialect } from "../../machines/dialect/dialect.ts"
import { workerKinds } from "../../machines/kinds/index.ts"
import { KindId } from "../../machines/vocabulary/kind.ts"
import { Backend } from "../../machines/vocabulary/device.ts"
import { KvType } from "../../machines/vocabulary/common.ts"
import { Exactness, ExactWish } from "../../machines/vocabulary/worker.ts"
import { Id, WorkerId, ModelRef } from "../../machines/vocabulary/ids.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
const positive = Schema.Number.pipe(Schema.positive())

/** A setting that a worker has and is not told would be its default in silence. */
const WorkerSettings = Schema.Struct({
  portBase: Schema.Int,
  slots: Schema.Int,
  context: optional(positive),
  kvType: KvType,
  threads: optional(positive),
  maxTokensPerS: optional(positive),
  idleMs: Schema.Number,
  // absent: of a hive that keeps nothing
  parkMb: Schema.optionalWith(Schema.Number, { exact: true, default: () => 0 }),
  exact: Schema.optionalWith(ExactWish, { exact: true, default: () => defaults.worker.exact }),
  sharePrefix: Schema.optionalWith(Schema.Boolean, { exact: true, default: () => false })
} satisfies Record<keyof Settings["worker"], unknown>)

const Argument = Schema.parseJson(
  Schema.Struct({
    workerId: WorkerId,
    instance: Id,
    // absent: of a hive that knew of one kind only
    kind: Schema.optionalWith(KindId, { exact: true, default: () => workerKinds[0].id }),
    backend: Backend,
    gpuUuid: optional(Schema.String),
    modelPath: Schema.NonEmptyString,
    modelRef: ModelRef,
    context: optional(Schema.Int.pipe(Schema.positive())),
    slots: Schema.Int.pipe(Schema.between(1, 256)),
    kvType: optional(KvType),
    projector: optional(Schema.NonEmptyString),
    exactness: optional(Exactness),
    learned: optional(LearnedDialect),
    parking: optional(
      Schema.Struct({ folder: Schema.NonEmptyString, key: Schema.NonEmptyString, maxBytes: Schema.Number })
    ),
    portHint: Schema.Int.pipe(Schema.between(0, 65_535)),
    runtime: optional(Schema.String),
    runtimeArgs: optional(Schema.Array(Schema.String)),
    /** address to listen on */
    host: Schema.NonEmptyString,
    /** who calls must show it */
    token: optional(Schema.String),
    /** absent: the defaults */
    settings: optional(Schema.Struct({ version: Schema.String, worker: WorkerSettings })),
    /** descriptor of the control pipe; with one, stdin is the leash. Absent: started by hand, messages go to stdout */
    controlFd: optional(Schema.Int)
  })
)

export interface WorkerArgument {
  readonly plan: WorkerPlan
  readonly host: string
  readonly token: string | undefined
  /** of this build where the hive tells of none */
  readonly version: string | undefined
  readonly settings: Settings["worker"]
  readonly controlFd: number | undefined
}

/** The first line of the control pipe, which blocks until somebody reads it otherwise; cut short where the hive is gone. */
const firstLineOf = (fd: number): string => {
  const parts: Array<Buffer> = []
  const part = Buffer.alloc(16 * 1024)
  for (;;) {
    const length = readSync(fd, part)
    parts.push(Buffer.from(part.subarray(0, length)))
    if (length === 0 || part[length - 1] === newline) return Buffer.concat(parts).toString()
  }
}
const newline = 10

const toldTo = (given: string | undefined): Either.Either<string, Error> =>
  Either.try({
    try: () => (given?.startsWith("{") === true ? given : firstLineOf(controlFd)),
    catch: (error) => (error instanceof Error ? error : new Error(String(error)))
  })

/** Left: what is wrong with it, in words. `given`: the first argument, which is JSON only where a person wrote it. */
export const readArgument = (given: string | undefined): Either.Either<WorkerArgument, string> =>
  Either.mapBoth(Either.flatMap(toldTo(given), decoder(Argument)), {
    onLeft: (error) => error.message,
    onRight: ({ controlFd, host, settings, token, ...plan }) => ({
      plan,
      host,
      token,
      version: settings?.version,
      settings: { ...defaults.worker, ...settings?.worker },
      controlFd
    })
  })
