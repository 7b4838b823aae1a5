/** The folders and files of this user's rbee: whose they are, who may read them, and what room their disks have. */
import { quoted } from "../formats/shell-quote.ts"
import { type Finding, ok, warn, wrong } from "./finding.ts"

export interface FolderFacts {
  /** "state", "logs" */
  readonly what: string
  readonly path: string
  /** what others could read there: prompts, answers, secrets */
  readonly isPrivate: boolean
  readonly wanted: "folder" | "file"
  readonly found:
    /** `canBeMade`: the nearest folder above it that is there can be written */
    | { readonly _tag: "Missing"; readonly canBeMade: boolean }
    | { readonly _tag: "Unreadable"; readonly code: string }
    | {
        readonly _tag: "There"
        readonly kind: "folder" | "file"
        readonly uid: number
        readonly mode: number
        readonly isWritable: boolean
      }
  /** whose process this is */
  readonly uid: number
}

const shown = (mode: number): string => (mode & 0o777).toString(8).padStart(4, "0")

export const folderFinding = (facts: FolderFacts): Finding => {
  const { found, isPrivate, path, uid, wanted, what } = facts
  const named = `${what} ${path}`
  const elsewhere = `set ${what === "models" ? "HF_HOME" : "RBEE_HOME"} to a folder of yours`
  if (found._tag === "Missing") {
    if (wanted === "file" || found.canBeMade) return ok("folder", `${named} is made at first use`)
    return wrong(
      "folder",
      `${named} is not there and cannot be made`,
      `Make it yours to write above it, or ${elsewhere}`
    )
  }
  if (found._tag === "Unreadable")
    return wrong("folder", `${named} cannot be looked at (${found.code})`, `Mend its permissions, or ${elsewhere}`)
  if (found.kind !== wanted) return wrong("folder", `${named} is no ${wanted}`, `Move it away, or ${elsewhere}`)
  // who runs as root reads what is anybody's
  if (found.uid !== uid)
    return wrong(
      "folder",
      `${named} belongs to user id ${found.uid}, and this is ${uid}`,
      `Run rbee as that user, or: sudo chown -R ${uid} ${quoted(path)}`
    )
  if (!found.isWritable)
    return wrong(
      "folder",
      `${named} cannot be written`,
      `chmod u+rwX ${quoted(path)}; on a read-only disk ${elsewhere}`
    )
  const least = wanted === "folder" ? "700" : "600"
  const tighten = `chmod ${least} ${quoted(path)}`
  if ((found.mode & 0o022) !== 0)
    return wrong("folder", `${named} can be written by others (mode ${shown(found.mode)})`, tighten)
  if (isPrivate && (found.mode & 0o077) !== 0)
    return (wanted === "file" ? wrong : warn)(
      "folder",
      `${named} can be read by others (mode ${shown(found.mode)})`,
      tighten
    )
  return ok("folder", named)
}

export interface DiskFacts {
  /** what is kept there */
  readonly what: "state" | "models"
  readonly folder: string
  /** undefined: the system does not tell */
  readonly freeBytes: number | undefined
}

/** bytes: below the first nothing works, below the second not much does */
const least = { state: [100e6, 1e9], models: [500e6, 5e9] } as const

const amount = (bytes: number): string =>
  bytes >= 10e9 ? `${Math.floor(bytes / 1e9)} GB` : `${Math.floor(bytes / 1e6)} MB`

export const diskFinding = ({ folder, freeBytes, what }: DiskFacts): Finding => {
  if (freeBytes === undefined) return ok("disk", `${what} in ${folder}: its disk does not tell what is free`)
  const [nothing, little] = least[what]
  const seen = `${amount(freeBytes)} free for ${what} in ${folder}`
  const todo =
    what === "state"
      ? "Make room, or set RBEE_HOME to a folder on another disk"
      : "Make room (`rbee models gc`), or set HF_HOME to a folder on another disk"
  if (freeBytes < nothing) return wrong("disk", seen, todo)
  return freeBytes < little ? warn("disk", seen, todo) : ok("disk", seen)
}
