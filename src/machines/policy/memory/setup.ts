/** How a worker is set up besides its context, and whom it serves so. */
import type { KvType } from "../../vocabulary/common.ts"
import type { KindId } from "../../vocabulary/kind.ts"

/** What is asked for; what is left open may be any. */
export interface Setup {
  readonly slots?: number | undefined
  readonly kv_type?: KvType | undefined
  /** another than its model has anyway: who leaves it open asks for that one */
  readonly engine?: KindId | undefined
}

/** What a worker has, and what it was asked for: a device or a model may not have let it be so. */
export interface SetUp extends Setup {
  readonly asked?: Setup | undefined
}

const wordsOf = { slots: "slots", kv_type: "KV type" } as const

/** Why a worker does not serve who asks for this, or undefined if it does. */
export const otherSetup = (wanted: Setup, { asked = {}, ...has }: SetUp): string | undefined => {
  if (wanted.engine !== asked.engine)
    return `its engine: ${asked.engine ?? "the usual one"}, ${wanted.engine ?? "the usual one"} asked for`
  for (const field of ["slots", "kv_type"] as const) {
    const wish = wanted[field]
    if (wish !== undefined && wish !== has[field] && wish !== asked[field])
      return `its ${wordsOf[field]}: ${has[field] ?? "not known"}, ${wish} asked for`
  }
  return undefined
}

/** Undefined: all of it is left open. */
export const setupOf = ({ engine, kv_type, slots }: Setup): Setup | undefined =>
  slots === undefined && kv_type === undefined && engine === undefined
    ? undefined
    : {
        ...(slots === undefined ? {} : { slots }),
        ...(kv_type === undefined ? {} : { kv_type }),
        ...(engine === undefined ? {} : { engine })
      }
