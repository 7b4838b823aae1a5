/** What computes, as a name: a state is of use to a worker of the same one alone. */
import { createHash } from "node:crypto"
import { realpathSync, statSync } from "node:fs"
import { pieceTokens, wideFrom } from "../../../../machines/kinds/llama/batches.ts"
import { runtimeVersion } from "../../../runtimes/llama/places.ts"
import type { LoadOptions } from "../../index.ts"
import type { Way } from "../decoding/way.ts"
import type { Loaded } from "../model.ts"
import type { Runtime } from "../runtime.ts"

/** Grows when files are written otherwise. */
const layout = 2

/** The file by its real place, length and time: its hash would take as long as loading it. */
const fileOf = (path: string): ReadonlyArray<unknown> => {
  const { mtimeMs, size } = statSync(path)
  return [realpathSync(path), size, mtimeMs]
}

export const identityOf = (
  { addon, backend }: Runtime,
  { threads }: Loaded,
  { kvType = "f16", modelPath, slots }: LoadOptions,
  { isTried, rows }: Way
): string => {
  // a home folder may be shared by machines whose processors compute otherwise
  const engine = [runtimeVersion, backend, addon.systemInfo(), threads]
  // of as many sequences as it was written with; windows are whole (model.ts)
  const cache = [kvType, slots, "whole window"]
  // what was read in any way is of no use to who may be exact
  const pieces = [pieceTokens, wideFrom, isTried, rows.step, rows.most === Infinity ? 0 : rows.most]
  const all = JSON.stringify([layout, engine, cache, pieces, fileOf(modelPath)])
  return createHash("sha256").update(all).digest("hex").slice(0, 16)
}
