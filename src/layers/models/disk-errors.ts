/** What a failing disk means to whoever asked for the file. */
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import type { TransferError } from "./index.ts"
import type { LocatedFile } from "./source.ts"

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown"

const placeOf = (error: unknown): string =>
  error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : "the folder of the models"

/** An error of reading, writing or renaming; an RbeeError is passed on as it is. */
export const toTransferError = (error: unknown): TransferError =>
  // A source rejects with these codes only (source.ts), and a look at a header.
  error instanceof RbeeError ? (error as TransferError) : diskError(error)

export const diskError = (error: unknown): RbeeError<"DISK_FULL" | "DOWNLOAD_FAILED"> => {
  const code = codeOf(error)
  // EFBIG: more than the file system, or a limit of the process, takes in one file
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return rbeeError(
      "DISK_FULL",
      `the disk of the hive's models took no more of the file (${code})`,
      "Free some space, remove a model with `rbee models rm`, or move HF_HOME or RBEE_HOME to another disk",
      { code }
    )
  }
  // Node says ENOENT of folders that it cannot make below a read-only disk
  const isMaking = error instanceof Error && "syscall" in error && error.syscall === "mkdir"
  const denied = code === "EROFS" || code === "EACCES" || code === "EPERM" || (code === "ENOENT" && isMaking)
  if (denied) {
    return rbeeError(
      "DOWNLOAD_FAILED",
      `${placeOf(error)} cannot be written to by the hive (${code})`,
      "Give the hive's user the right to write there, or move the cache of models with HF_HOME or HF_HUB_CACHE",
      { code, permanent: true }
    )
  }
  return rbeeError("DOWNLOAD_FAILED", `the model file could not be written or read (${code})`, "See the hive's log", {
    code,
    permanent: code === "ENOENT"
  })
}

export const wrongHash = (file: LocatedFile, received: string): RbeeError<"CHECKSUM_MISMATCH"> => {
  const [what, todo] =
    file.inPlace === undefined
      ? [`${file.name} arrived with a wrong SHA-256`, "Try again later, or report it to its author"]
      : [`${file.name} in the cache is damaged`, "Delete it from the cache, then try again"]
  return rbeeError("CHECKSUM_MISMATCH", what, todo, { expected: file.sha256, received })
}
