/**
 * Models that are split into several files, as llama.cpp's gguf-split names them: `NAME-00001-of-00003.gguf`. The first
 * has the header of the whole and is the one that is opened; the others lie beside it.
 */
import type { Header, ModelFacts } from "./gguf.ts"

const mark = /-(\d{5})-of-(\d{5})(\.gguf)$/i
/** no model has more; a name may say anything */
const partsMax = 999

/** All files of the model that this file is one of, in order; of a whole file that one alone. */
export const partsOf = (path: string): readonly [string, ...ReadonlyArray<string>] => {
  const [, , total = "", ending = ""] = mark.exec(path) ?? []
  const count = Number(total)
  if (count < 1 || count > partsMax) return [path]
  const stem = path.replace(mark, "")
  const name = (n: number) => `${stem}-${String(n).padStart(5, "0")}-of-${total}${ending}`
  return [name(1), ...Array.from({ length: count - 1 }, (_, i) => name(i + 2))]
}

/** The name without the mark of a part. */
export const wholeName = (path: string): string => path.replace(mark, "$3")

/** The facts of the model that these files are together, or why they are none. */
export const joined = (headers: ReadonlyArray<Header>): ModelFacts | { readonly reason: string } => {
  const [first] = headers
  if (first === undefined) return { reason: "it has no files" }
  for (const [i, { split = { index: 0, count: 1 } }] of headers.entries()) {
    if (split.count !== headers.length || split.index !== i) {
      return {
        reason: `its file ${i + 1} of ${headers.length} says that it is part ${split.index + 1} of ${split.count}`
      }
    }
  }
  const sum = (of: (facts: ModelFacts) => number) => headers.reduce((total, { facts }) => total + of(facts), 0)
  const parameters = sum((facts) => facts.parameters)
  if (parameters === 0) return { reason: "it holds a vocabulary only, no weights" }
  return { ...first.facts, parameters, fileBytes: sum((facts) => facts.fileBytes) }
}
