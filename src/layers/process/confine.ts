/**
 * A command that can gain no rights which we have not: `setpriv` sets the kernel's no_new_privs and becomes the command,
 * so pid and start time are the command's own.
 */
import { spawnSync } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { toolEnvironment } from "./environment.ts"

export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
}

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const flag = "--no-new-privs"
/** `null`: there is none that works */
let tool: string | null | undefined

/** util-linux's, tried once: others of this name may know no such flag. */
const findTool = (): string | null => {
  if (process.platform !== "linux") return null
  const folders = ["/usr/bin", "/bin", ...(process.env["PATH"] ?? "").split(delimiter)]
  const found = folders.map((folder) => join(folder, "setpriv")).find((file) => file.startsWith("/") && isProgram(file))
  if (found === undefined) return null
  const tried = spawnSync(found, [flag, "--", found, "--version"], { env: toolEnvironment(), timeout: 5000 })
  return tried.status === 0 ? found : null
}

/** The command as it is where the system has no such tool. */
export const confine = ({ args, command }: Command): readonly [command: string, ...args: Array<string>] => {
  if (tool === undefined) tool = findTool()
  return tool === null ? [command, ...args] : [tool, flag, "--", command, ...args]
}
