/** Why a process could not be started, by what the system said: what a user can do about it is said with it. */
import { type RbeeError, rbeeError } from "../../machines/errors.ts"

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : ""
const pathOf = (error: unknown, otherwise: string): string =>
  error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : otherwise

export type RefusalCode = "DISK_FULL" | "INVALID_REQUEST" | "BACKEND_UNAVAILABLE"

/** `file`: where its output goes. Undefined: nothing that is known. */
export const startRefusal = (error: unknown, file: string): RbeeError<RefusalCode> | undefined => {
  const code = codeOf(error)
  if (code === "ENOSPC" || code === "EDQUOT")
    return rbeeError(
      "DISK_FULL",
      `the disk of ${file} is full`,
      "Make room, or set RBEE_HOME to a folder on another disk"
    )
  if (code === "EACCES" || code === "EROFS" || code === "EPERM")
    return rbeeError(
      "INVALID_REQUEST",
      `${pathOf(error, file)} cannot be written to (${code})`,
      "Set RBEE_HOME to a folder that you may write to"
    )
  if (code === "ENOTDIR" || code === "EEXIST" || code === "ENAMETOOLONG" || code === "ELOOP")
    return rbeeError(
      "INVALID_REQUEST",
      `${pathOf(error, file)} can be no folder (${code})`,
      "Set RBEE_HOME to a folder, or move away what is there"
    )
  if (code === "EAGAIN" || code === "EMFILE" || code === "ENFILE" || code === "ENOMEM")
    return rbeeError(
      "BACKEND_UNAVAILABLE",
      `the system allows no more ${code === "EAGAIN" ? "processes" : code === "ENOMEM" ? "memory" : "open files"} (${code})`,
      `Raise the limit (\`ulimit -${code === "EAGAIN" ? "u" : code === "ENOMEM" ? "v" : "n"}\`), or end what is not needed`
    )
  return undefined
}
