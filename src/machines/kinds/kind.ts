/**
 * A kind of worker, as data: everything that scheduler, ledger, provisioning and narration must know of an engine. What
 * has to be done for it (its runtime found and installed, its engine started) is in `layers/kinds`.
 */
import { rbeeError, type RbeeError } from "../errors.ts"
import type { ModelFacts } from "../formats/gguf/gguf.ts"
import type { ModelFormat } from "../formats/model-format.ts"
import type { FailureWords } from "../policy/blame.ts"
import type { Shape } from "../policy/memory/fit.ts"
import { type Backend, backends, type RuntimeId } from "../vocabulary/device.ts"
import type { KindId, RuntimeName } from "../vocabulary/kind.ts"
import type { KvType } from "../vocabulary/common.ts"

/** What runs a model: the backend of the runtime that serves the device, and how the KV cache is kept. */
export interface Terms {
  readonly backend: Backend
  readonly kvType: KvType
  /** a CPU that multiplies matrices in tiles (AMX): llama.cpp rearranges most files for it as it loads them */
  readonly hasTiles?: boolean
}

/** How much memory its workers take. */
export interface KindMemory {
  /** `kvType`: what the settings wish for */
  readonly terms: (facts: ModelFacts, device: Omit<Terms, "kvType">, kvType: KvType) => Terms
  /** bytes that a worker takes on its device, once it has read a prompt that fills its slots */
  readonly bytes: (facts: ModelFacts, shape: Shape, terms: Terms) => number
  /** of these, what a process has not taken yet as soon as it has loaded */
  readonly laterBytes: (facts: ModelFacts, shape: Shape, terms: Terms) => number
  /** tokens by which the context of a slot grows */
  readonly step: number
}

export interface KindBackend {
  readonly runtime: RuntimeName
  /** variable by which a process sees one GPU of several; absent: they are not told apart */
  readonly visible?: string
}

/**
 * How an answer goes on that another worker began: from the ids of its tokens; from its text, what is drawn after it
 * drawn anew; not at all.
 */
export type Resume = "ids" | "text" | "none"

export interface WorkerKind {
  readonly id: KindId
  /** of the files that it loads; the first is its own */
  readonly formats: readonly [ModelFormat, ...ReadonlyArray<ModelFormat>]
  readonly backends: Readonly<Partial<Record<Backend, KindBackend>>>
  readonly memory: KindMemory
  /** what it can be shown beside text */
  readonly takes: { readonly images: boolean }
  /** `drawn`: answers that are sampled, or held to a form */
  readonly resume: { readonly greedy: Resume; readonly drawn: Resume }
  /** its model is in a process beside the worker's own */
  readonly hasProcess: boolean
  /** milliseconds that a step of its work may take before anything was measured */
  readonly expectedBatchMs: (facts: ModelFacts) => number
  readonly failures: FailureWords
}

/** The first takes what says of itself nothing else. */
export type WorkerKinds = readonly [WorkerKind, ...ReadonlyArray<WorkerKind>]

/** The kind that serves a model: the engine that is asked for, else by how its reference ends. */
export const kindFor = (kinds: WorkerKinds, ref: string, engine?: KindId): WorkerKind => {
  const asked = engine === undefined ? undefined : kindOf(kinds, engine)
  if (asked !== undefined) return asked
  const name = ref.toLowerCase()
  return kinds.find(({ formats }) => formats.some(({ ending }) => name.endsWith(ending))) ?? kinds[0]
}

interface Asked {
  readonly model: string
  readonly engine?: KindId | undefined
}

/** Refused where there is no such engine; one that the model has anyway need not be asked for, and no worker is told apart by it. */
export const engineIn = <A extends Asked>(kinds: WorkerKinds, asked: A): A | RbeeError<"INVALID_REQUEST"> => {
  const { engine, model } = asked
  if (engine === undefined) return asked
  if (kindOf(kinds, engine) === undefined)
    return rbeeError(
      "INVALID_REQUEST",
      `there is no engine ${engine}`,
      `There are ${kinds.map(({ id }) => id).join(", ")}`,
      {
        field: "engine"
      }
    )
  return engine === kindFor(kinds, model).id ? { ...asked, engine: undefined } : asked
}

/** Why a conversation with images has no engine that could be shown them; undefined: it has. */
export const blindTo = (kinds: WorkerKinds, { engine, model }: Asked): RbeeError<"INVALID_REQUEST"> | undefined => {
  const { id, takes } = kindFor(kinds, model, engine)
  if (takes.images) return undefined
  const others = kinds.filter((kind) => kind.takes.images).map((kind) => `engine = "${kind.id}"`)
  return rbeeError(
    "INVALID_REQUEST",
    `the model is shown no images: its engine is ${id}`,
    others.length === 0
      ? "Leave them out"
      : `Ask an entry that has ${others.join(" or ")} (docs/engines.md), or leave them out`,
    { field: "messages" }
  )
}

/** How a file is read: by its name, as its kind is. */
export const formatOf = (kinds: WorkerKinds, name: string): ModelFormat => {
  const { formats } = kindFor(kinds, name)
  return formats.find(({ ending }) => name.toLowerCase().endsWith(ending)) ?? formats[0]
}

/** May a file of this name be a model of some kind? */
export const isModelFile = (kinds: WorkerKinds, name: string): boolean =>
  kinds.some(({ formats }) => formats.some(({ ending }) => name.toLowerCase().endsWith(ending)))

/** Of a plan that was made here: undefined for a kind that this version does not have. */
export const kindOf = (kinds: WorkerKinds, id: KindId): WorkerKind | undefined => kinds.find((kind) => kind.id === id)

export const runtimeName = (kind: WorkerKind, backend: Backend): RuntimeName =>
  kind.backends[backend]?.runtime ?? kind.id

/** Which runtime has this name. */
export const runtimeNamed = (kinds: WorkerKinds, name: RuntimeName): RuntimeId | RbeeError<"INVALID_REQUEST"> => {
  const all = kinds.flatMap((kind) => backends.map((backend) => ({ kind, backend })))
  const found = all.find(({ backend, kind }) => kind.backends[backend]?.runtime === name)
  if (found !== undefined) return { kind: found.kind.id, backend: found.backend }
  const names = all.flatMap(({ backend, kind }) => kind.backends[backend]?.runtime ?? [])
  return rbeeError("INVALID_REQUEST", `there is no worker ${name} here`, `There are ${names.join(", ")}`, {
    kinds: names
  })
}

/** What a process sees of the GPUs of a machine: the one that it is for, where it is known by something. */
export const boundTo = (
  kind: WorkerKind | undefined,
  backend: Backend,
  uuid: string | undefined
): Readonly<Record<string, string>> => {
  const visible = kind?.backends[backend]?.visible
  return uuid === undefined || visible === undefined ? {} : { [visible]: uuid }
}
