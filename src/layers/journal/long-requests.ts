/**
 * What long requests say, a file each, beside the journal: a prompt of 20 MB in the database would be copied to its log,
 * to its pages and at a checkpoint, each time on the event loop. A file is written before its job's row, so that a row
 * never stands for a half one; what has no row is what a queen that was killed had begun.
 */
import { createHash } from "node:crypto"
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync
} from "node:fs"
import { join } from "node:path"
import { isLongerThan, jsonPieces } from "../../machines/formats/json/pieces.ts"
import type { CheckedRequest } from "../../machines/vocabulary/job.ts"
import type { Steps } from "./in-process.ts"

/** characters from which a request is long; each change of a job writes its row again */
const long = 16 * 1024

export const isLong = (request: CheckedRequest): boolean => isLongerThan(request, long)

/** Exactly one of them is in every request. */
export const hasTexts = ({ embed, messages, prompt, rerank, tokens }: CheckedRequest): boolean =>
  [embed, messages, prompt, rerank, tokens].some((one) => one !== undefined)

export class LongRequests {
  private readonly folder: string
  /** there may be some: most queens have none, and do not look for one of each job that they forget */
  private hasSome: boolean

  constructor(folder: string) {
    this.folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.hasSome = readdirSync(folder).length > 0
  }

  /** In steps; left before its end, nothing is kept. */
  *write(job: string, request: CheckedRequest): Steps {
    const path = this.path(job)
    this.hasSome = true
    let isWhole = false
    try {
      // a file of that name is what a queen before had begun
      const file = openSync(path, "w", 0o600)
      try {
        for (const piece of jsonPieces(inOrder(request))) {
          writeWhole(file, Buffer.from(piece))
          yield
        }
      } finally {
        closeSync(file)
      }
      isWhole = true
    } finally {
      if (!isWhole) rmSync(path, { force: true })
    }
  }

  /** Whether that is what was written, found out in steps. */
  *isSame(job: string, request: CheckedRequest): Steps<boolean> {
    const path = this.path(job)
    if (!existsSync(path)) return false
    const file = openSync(path, "r")
    try {
      for (const piece of jsonPieces(inOrder(request))) {
        const wanted = Buffer.from(piece)
        if (!wanted.equals(readUpTo(file, wanted.length))) return false
        yield
      }
      return readUpTo(file, 1).length === 0
    } finally {
      closeSync(file)
    }
  }

  /** The JSON text; undefined: there is none. */
  read(job: string): string | undefined {
    try {
      return readFileSync(this.path(job), "utf8")
    } catch {
      return undefined
    }
  }

  remove(job: string): void {
    if (this.hasSome) rmSync(this.path(job), { force: true })
  }

  /** Removes those of all other jobs. */
  keepOnly(jobs: () => ReadonlyArray<string>): void {
    const there = readdirSync(this.folder)
    if (there.length === 0) return
    const kept = new Set(jobs().map(nameOf))
    for (const name of there) if (!kept.has(name)) rmSync(join(this.folder, name), { recursive: true, force: true })
  }

  private path(job: string): string {
    return join(this.folder, nameOf(job))
  }
}

/** Its fields by name: a client may send them in another order the next time. */
const inOrder = (request: CheckedRequest): unknown =>
  Object.fromEntries(Object.entries(request).toSorted(([a], [b]) => (a < b ? -1 : 1)))

/** Whatever a damaged row calls its job. */
const nameOf = (job: string): string => `${createHash("sha256").update(job).digest("hex")}.json`

/** A full disk takes a part, and says so at the next one. */
const writeWhole = (file: number, bytes: Buffer): void => {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}

const readUpTo = (file: number, most: number): Buffer => {
  const bytes = Buffer.alloc(most)
  let at = 0
  for (let read = -1; read !== 0 && at < most; at += read) read = readSync(file, bytes, at, most - at, null)
  return bytes.subarray(0, at)
}
