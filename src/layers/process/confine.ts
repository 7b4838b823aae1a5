/**
 * A command that can gain no rights which we have not: `setpriv` sets the kernel's no_new_privs and becomes the command,
 * so pid and start time are the command's own.
 */
import { accessSync, constants, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"

export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
}

const option = "no-new-privs"
/** `null`: there is none that knows the option */
let tool: string | null | undefined

/**
 * A program whose own text has the option, as util-linux's and busybox's do: others of this name may know none. It is
 * not tried: that would hold the event loop of a starting hive for the time of a process.
 */
const knowsOption = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return readFileSync(file).includes(`${option}\0`)
  } catch {
    return false
  }
}

const findTool = (): string | null => {
  if (process.platform !== "linux") return null
  const folders = ["/usr/bin", "/bin", ...(process.env["PATH"] ?? "").split(delimiter)]
  const files = folders.map((folder) => join(folder, "setpriv"))
  return files.find((file) => file.startsWith("/") && knowsOption(file)) ?? null
}

/** The command as it is where the system has no such tool. */
export const confine = ({ args, command }: Command): readonly [command: string, ...args: Array<string>] => {
  if (tool === undefined) tool = findTool()
  return tool === null ? [command, ...args] : [tool, `--${option}`, "--", command, ...args]
}
