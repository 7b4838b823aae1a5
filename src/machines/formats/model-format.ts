/** A form that models are kept in: how its files are known, and what their beginning says. */
import { type GgufResult, readGguf } from "./gguf/gguf.ts"

export interface ModelFormat {
  /** how the names of its files end */
  readonly ending: string
  /** `start` is the file's beginning, as much as was read; `fileBytes` the size of the whole file. */
  readonly read: (start: Uint8Array, fileBytes: number) => GgufResult
}

export const gguf: ModelFormat = { ending: ".gguf", read: readGguf }
