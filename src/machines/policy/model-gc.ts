/**
 * Which model files give way when a hive holds more than it should. Least recently used first; never a pinned one,
 * never one in use, never a file that rbee did not bring, and never the last copy in the cluster unless that was said.
 */
import { bundledModel } from "../formats/model-ref.ts"
import type { GcAnswer, ModelView } from "../vocabulary/model.ts"
import type { HiveId, ModelRef } from "../vocabulary/ids.ts"

/** A model on a hive. */
export type Copy = ModelView & { readonly hive: HiveId }

export interface GcLimits {
  /** bytes of rbee's own model files that each hive may keep */
  readonly maxBytes: number
  /** the last copy of a model in the cluster may go too */
  readonly lastCopies: boolean
}

/** Several names of one file on one hive stay and go together. */
interface Group {
  readonly hive: HiveId
  readonly bytes: number
  readonly copies: ReadonlyArray<Copy>
  readonly usedAt: number
}

const groupsOf = (copies: ReadonlyArray<Copy>): ReadonlyArray<Group> => {
  const files = new Map<string, readonly [Copy, ...ReadonlyArray<Copy>]>()
  for (const copy of copies) {
    const key = `${copy.hive} ${copy.file}`
    const names = files.get(key)
    files.set(key, names === undefined ? [copy] : [...names, copy])
  }
  return [...files.values()].map((names) => ({
    hive: names[0].hive,
    bytes: names[0].bytes,
    copies: names,
    usedAt: Math.max(...names.map(({ added_at, last_used_at }) => last_used_at ?? added_at ?? 0))
  }))
}

/** Why it stays whatever else needs room. */
const bound = ({ copies }: Group): string | undefined => {
  if (copies.some(({ pinned }) => pinned)) return "it is pinned"
  if (copies.some(({ in_use }) => in_use)) return "a worker uses it"
  return copies.some(({ owned }) => owned) ? undefined : "rbee did not bring it"
}

/** What would go, and why the rest stays; deterministic. */
export const planGc = (copies: ReadonlyArray<Copy>, { lastCopies, maxBytes }: GcLimits): GcAnswer => {
  const groups = groupsOf(copies).toSorted((a, b) => a.usedAt - b.usedAt || b.bytes - a.bytes)
  const kept = new Set(groups)
  const total = new Map<string, number>()
  for (const group of groups) {
    if (group.copies.some(({ owned }) => owned)) total.set(group.hive, (total.get(group.hive) ?? 0) + group.bytes)
  }
  // Only a copy that rbee brought counts as one: any other may be the same file, or go without a word.
  const isElsewhere = (ref: ModelRef, group: Group): boolean =>
    ref === bundledModel ||
    [...kept].some(
      (other) => other.hive !== group.hive && other.copies.some((copy) => copy.model_ref === ref && copy.owned)
    )
  const stays = (group: Group): string | undefined => {
    const because = bound(group)
    if (because !== undefined) return because
    if ((total.get(group.hive) ?? 0) <= maxBytes) return "there is room"
    const isLast = group.copies.some((copy) => !isElsewhere(copy.model_ref, group))
    return isLast && !lastCopies ? "it is the last copy in the cluster" : undefined
  }
  const answer: { removed: Array<GcAnswer["removed"][number]>; kept: Array<GcAnswer["kept"][number]> } = {
    removed: [],
    kept: []
  }
  for (const group of groups) {
    const because = stays(group)
    for (const { bytes, hive, model_ref } of group.copies) {
      if (because === undefined) answer.removed.push({ model_ref, hive, bytes })
      else answer.kept.push({ model_ref, hive, bytes, because })
    }
    if (because !== undefined) continue
    kept.delete(group)
    total.set(group.hive, (total.get(group.hive) ?? 0) - group.bytes)
  }
  return answer
}
