/**
 * A command that can gain no rights which we have not: `setpriv` sets the kernel's no_new_privs and becomes the command,
 * so pid and start time are the command's own. It can have the kernel end the command with its parent, too.
 */
import { accessSync, constants, readFileSync } from "node:fs"
import { delimiter, join } from "node:path"

export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
}

const options = { rights: "no-new-privs", death: "pdeathsig" } as const

interface Tool {
  readonly file: string
  /** it can have a command ended with its parent: busybox's cannot */
  readonly knowsDeath: boolean
}

/** `null`: there is none that knows the first */
let tool: Tool | null | undefined

/**
 * A program whose own text has the option, as util-linux's and busybox's do: others of this name may know none. It is
 * not tried: that would hold the event loop of a starting hive for the time of a process.
 */
const toolAt = (file: string): Tool | undefined => {
  try {
    accessSync(file, constants.X_OK)
    const text = readFileSync(file)
    if (!text.includes(`${options.rights}\0`)) return undefined
    return { file, knowsDeath: text.includes(`${options.death}\0`) }
  } catch {
    return undefined
  }
}

const findTool = (): Tool | null => {
  if (process.platform !== "linux") return null
  const folders = ["/usr/bin", "/bin", ...(process.env["PATH"] ?? "").split(delimiter)]
  for (const folder of folders) {
    const found = folder.startsWith("/") ? toolAt(join(folder, "setpriv")) : undefined
    if (found !== undefined) return found
  }
  return null
}

/** The command as it is where the system has no such tool. `diesWithUs`: with the process that starts it, however that goes. */
export const confine = (
  { args, command }: Command,
  { diesWithUs = false }: { readonly diesWithUs?: boolean } = {}
): readonly [command: string, ...args: Array<string>] => {
  if (tool === undefined) tool = findTool()
  if (tool === null) return [command, ...args]
  const death = diesWithUs && tool.knowsDeath ? [`--${options.death}`, "KILL"] : []
  return [tool.file, `--${options.rights}`, ...death, "--", command, ...args]
}
