/**
 * What the self-tests of workers found, over restarts of workers and hive: one that was tested once is exact from its
 * first token. Another file, engine, device, shape or cache is tested anew; so are other threads, which only the worker
 * knows of.
 */
import * as Effect from "effect/Effect"
import type { ExactKey, ExactRow } from "../../../layers/hive-catalog/index.ts"
import type { Shape } from "../../../machines/policy/memory/fit.ts"
import type { KvType } from "../../../machines/vocabulary/common.ts"
import type { ExactHow, Exactness, ExactWish } from "../../../machines/vocabulary/worker.ts"
import type { Ports } from "../common/ports.ts"
import type { Pair } from "./quarantine.ts"

export interface FindingsOptions {
  readonly catalog: Ports["catalog"]
  /** the file as it is now */
  readonly pair: Effect.Effect<Pair>
  readonly kvType: KvType
  readonly exact: ExactWish
}

export class Findings {
  private readonly options: FindingsOptions

  constructor(options: FindingsOptions) {
    this.options = options
  }

  /** Before a process starts: what an earlier one found. A store that fails has it tested anew. */
  recall(shape: Shape): Effect.Effect<{ readonly key: ExactRowKey; readonly known: Exactness | undefined }> {
    const { catalog, pair } = this.options
    return Effect.gen(this, function* () {
      const { device, engine, file, hash } = yield* pair
      const key = { hash, engine, device, file, setup: this.setupOf(shape) }
      const rows = yield* Effect.orElseSucceed(catalog.exact.all, (): ReadonlyArray<ExactRow> => [])
      const row = rows.find((each) => isSame(each, key) && each.setup === key.setup)
      if (row === undefined) return { key, known: undefined }
      return { key, known: exactnessOf(row) }
    })
  }

  /** What was known of an earlier file or engine is of no use any more. */
  keep(key: ExactRowKey, { bits, exact, threads }: Exactness): Effect.Effect<void> {
    const { catalog } = this.options
    return Effect.gen(function* () {
      for (const row of yield* catalog.exact.all)
        if (row.file === key.file && row.device === key.device && !isSame(row, key)) yield* catalog.exact.remove(row)
      yield* catalog.exact.put({ ...key, exact, bits, threads })
    }).pipe(Effect.ignoreLogged)
  }

  private setupOf({ context, slots }: Shape): string {
    const { exact, kvType } = this.options
    return `${context}x${slots} ${kvType} ${exact}`
  }
}

/** Without what is not known. */
export const exactnessOf = ({
  bits,
  exact,
  exact_how,
  threads
}: Pick<ExactRow, "exact"> & {
  readonly exact_how?: ExactHow | undefined
  readonly bits?: string | undefined
  readonly threads?: number | undefined
}): Exactness => ({
  exact,
  ...(bits === undefined ? {} : { bits }),
  ...(exact_how === undefined ? {} : { exact_how }),
  ...(threads === undefined ? {} : { threads })
})

export type ExactRowKey = ExactKey & Pick<ExactRow, "file">

const isSame = (row: ExactRowKey, { device, engine, hash }: ExactRowKey): boolean =>
  row.hash === hash && row.engine === engine && row.device === device
