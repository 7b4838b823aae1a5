/** The files of daemons on this machine's disk, and who answers here: what is provided in production. */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync
} from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DaemonFiles, DaemonProbe } from "./index.ts"
import { ask } from "./probe.ts"

const tailBytes = 8192
/** less room than a log and a store need to begin, bytes */
const leastRoom = 256 * 1024

/** What there is, or `otherwise` where it cannot be read. */
const quietly = <A>(otherwise: A, read: () => A): Effect.Effect<A> =>
  Effect.sync(() => {
    try {
      return read()
    } catch {
      return otherwise
    }
  })

const write = (file: string, text: string): void => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}`
  writeFileSync(fresh, text, { mode: 0o600 })
  renameSync(fresh, file)
}

const tail = (file: string, offset: number): string => {
  const handle = openSync(file, "r")
  try {
    const { size } = fstatSync(handle)
    const start = Math.max(size < offset ? 0 : offset, size - tailBytes)
    const buffer = Buffer.alloc(size - start)
    readSync(handle, buffer, 0, buffer.length, start)
    return buffer.toString("utf8")
  } finally {
    closeSync(handle)
  }
}

const mark = (file: string): string | undefined => {
  const found = statSync(file, { throwIfNoEntry: false })
  return found === undefined ? "gone" : `${found.dev}:${found.ino}:${found.size}:${found.mtimeMs}`
}

const isFull = (folder: string): boolean => {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize < leastRoom
}

const foldersIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))

export const layerNode: Layer.Layer<DaemonFiles | DaemonProbe> = Layer.merge(
  Layer.succeed(DaemonFiles, {
    read: (file) => quietly(undefined, () => readFileSync(file, "utf8")),
    write: (file, text) => Effect.sync(() => write(file, text)),
    remove: (file) => quietly(undefined, () => rmSync(file)),
    folders: (folder) => quietly([], () => foldersIn(folder)),
    size: (file) => quietly(0, () => statSync(file).size),
    tail: (file, offset) => quietly("", () => tail(file, offset)),
    mark: (file) => quietly(undefined, () => mark(file)),
    isFull: (folder) => quietly(false, () => isFull(folder))
  }),
  Layer.succeed(DaemonProbe, { ask })
)
