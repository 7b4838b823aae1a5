/**
 * The native runtimes that workers need, each kind its own (`by-kind.ts`): present with the package, installed by this
 * hive earlier, or installable. Implementation for llama.cpp: `llama/npm.ts`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Dialect } from "../../machines/dialect/dialect.ts"
import type { RbeeError } from "../../machines/errors.ts"
import type { Proof } from "../../machines/policy/blame.ts"
import type { Backend } from "../../machines/vocabulary/device.ts"
import type { TextAnswer, TextQuestion } from "../../machines/vocabulary/model.ts"
import type { KindId } from "../../machines/vocabulary/kind.ts"

export interface RuntimePlace {
  readonly version: string
  /** folder that holds node_modules, or a program; undefined: the runtime that rbee itself was installed with */
  readonly folder: string | undefined
  /** of a program, what its user starts it with; ours come after them */
  readonly args?: ReadonlyArray<string>
}

/** By what a device is reached. */
export interface ProvenDevice {
  readonly backend: Backend
  readonly uuid: string | undefined
}

/** What was learned, or nothing but text and why. */
export interface Found {
  readonly template: string | undefined
  readonly dialect: Dialect
}

/** The runtimes of one kind of worker. */
export interface KindRuntimes {
  /** Looks, does not install. */
  readonly find: (backend: Backend) => Effect.Effect<RuntimePlace | undefined>
  /**
   * Installs, proves in a child process that it works on its device, and only then gives it its name. A failure leaves
   * nothing but a note of it, where trying again would be in vain.
   * `onProgress` hears the bytes that lie in the folder so far.
   */
  readonly install: (
    backend: Backend,
    onProgress: (received: number) => void
  ) => Effect.Effect<RuntimePlace, RbeeError<"BACKEND_UNAVAILABLE">>
  /** Has the bundled model loaded and decoded on a device, in a process of its own. */
  readonly prove: (device: ProvenDevice) => Effect.Effect<Proof>
  /**
   * What a file's chat template tells of how its model writes, learned in a process of its own that has some seconds for
   * it; `template` is its hash where that succeeded. Undefined: the file has none.
   */
  readonly learn: (file: string) => Effect.Effect<Found | undefined>
  /** What a file's vocabulary tells without its weights, in a process of its own. Undefined: this kind has none. */
  readonly read: (
    file: string,
    question: TextQuestion
  ) => Effect.Effect<TextAnswer | undefined, RbeeError<"INVALID_REQUEST" | "MODEL_INVALID" | "INTERNAL">>
  /** Deletes what an interrupted installation left. */
  readonly sweep: Effect.Effect<void>
}

type OfKind<F> = F extends (...input: infer Input) => infer Output ? (kind: KindId, ...input: Input) => Output : F

/** Those of all kinds: each call says of which. */
export class Runtimes extends Context.Tag("rbee/Runtimes")<
  Runtimes,
  { readonly [Name in keyof KindRuntimes]: OfKind<KindRuntimes[Name]> }
>() {}
