/** Small things about files and folders. */
import { lstat, mkdir, open, readdir, realpath, rm, stat, statfs } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"

/** Runs to its end or to its next look at the signal also when it is interrupted: no file is left open behind it. */
export const awaited = <A, E>(
  work: (signal: AbortSignal) => Promise<A>,
  onError: (error: unknown) => E
): Effect.Effect<A, E> =>
  Effect.async<A, E>((resume, signal) => {
    const running = work(signal).then(
      (value) => resume(Effect.succeed(value)),
      (error: unknown) => resume(Effect.fail(onError(error)))
    )
    return Effect.promise(() => running)
  })

/** A rename is on the disk once its folder is. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r")
  await handle.sync().finally(() => handle.close())
}

/** The file; and for a link of a snapshot the blob that it leads to, unless another snapshot leads there too. */
export const remove = async (file: string): Promise<void> => {
  const isLink = (await lstat(file).catch(() => undefined))?.isSymbolicLink() === true
  const blob = isLink ? await realpath(file).catch(() => undefined) : undefined
  await rm(file, { force: true })
  if (blob === undefined) return
  const snapshots = join(dirname(dirname(blob)), "snapshots")
  for (const path of await readdir(snapshots, { recursive: true }).catch(() => [])) {
    if ((await realpath(join(snapshots, path)).catch(() => undefined)) === blob) return
  }
  await rm(blob, { force: true })
}

/** Of the disk that a folder is on, or will be. */
export const freeIn = async (wanted: string): Promise<number> => {
  await mkdir(wanted, { recursive: true, mode: 0o700 })
  const { bavail, bsize } = await statfs(wanted)
  return bavail * bsize
}

/** Deletes those that nobody has written to for this long. */
export const deleteOlder = async (files: ReadonlyArray<string>, ageMs: number, now: number): Promise<void> => {
  for (const file of files) {
    const found = await stat(file).catch(() => undefined)
    if (found !== undefined && now - found.mtimeMs > ageMs) await rm(file, { force: true })
  }
}
