/** Models by their file, as paths are written: relative ones too. */
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"

const isPath = (text: string): boolean => /^(\.{1,2}|~)?\//.test(text)

/** Could be something of the hub as well: it is a path where the file is there. */
const mayBePath = (text: string): boolean => /\.gguf$/i.test(text) && !/^(hf|https?):/i.test(text)

/**
 * `./a.gguf`, `../a.gguf`, `~/a.gguf`, `file:a.gguf`, and `a.gguf` where it is there, as a reference: `file:/…`. What
 * says nothing of a file stays as it is.
 */
export const pathRef = (folder: string, text: string): string => {
  const named = /^file:/i.test(text)
  const path = named ? text.slice("file:".length) : text
  // an empty one, or another machine's, is judged where references are
  if (named && (path === "" || path.startsWith("/"))) return text
  if (path.startsWith("~/")) return `file:${join(homedir(), path.slice(2))}`
  const file = resolve(folder, path)
  return named || isPath(path) || (mayBePath(path) && existsSync(file)) ? `file:${file}` : text
}
