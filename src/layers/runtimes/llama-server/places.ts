/** Where llama.cpp's server may be: named by the configuration, built here by `rbee engines install`, or on the path. */
import { accessSync, constants, statSync } from "node:fs"
import { delimiter, join } from "node:path"
import { serverRelease } from "./recipe.ts"

export interface ServerPlaces {
  /** the hive's folder; what is built goes to `runtimes` in it */
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** the program, and arguments of the user's own */
  readonly named?: ReadonlyArray<string> | undefined
}

export type Origin = "configuration" | "installed" | "path"

export interface Found {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly origin: Origin
}

const name = "llama-server"

/** Of what is built here. */
export const builtAt = ({ folder }: Pick<ServerPlaces, "folder">): string =>
  join(folder, "runtimes", `${name}-${serverRelease}`)

export const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

export const onPath = (env: ServerPlaces["env"], wanted: string): string | undefined =>
  (env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => join(folder, wanted))
    .find(isProgram)

/** Undefined: it is nowhere. One that is named counts, also where it is not there: whoever named it means that one. */
export const findServer = (places: ServerPlaces): Found | undefined => {
  const { env, named } = places
  const [first, ...args] = named ?? []
  if (first !== undefined) {
    const program = first.includes("/") ? first : onPath(env, first)
    return { program: program ?? first, args, origin: "configuration" }
  }
  const built = join(builtAt(places), name)
  if (isProgram(built)) return { program: built, args: [], origin: "installed" }
  const program = onPath(env, name)
  return program === undefined ? undefined : { program, args: [], origin: "path" }
}
