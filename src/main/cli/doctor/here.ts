/** What is looked at on this machine itself: program, settings, engine, memory, folders, disks. */
import { accessSync, constants, existsSync, readdirSync, statfsSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { ask as askNvidia, findTool, hasDriver } from "../../../layers/devices/nvidia.ts"
import { memoryFacts } from "../../../layers/devices/memory.ts"
import { wokenMark } from "../../../layers/hive-launcher/index.ts"
import { ownTokenFile } from "../../../layers/keys/own-token.ts"
import { environmentOf, runtimeFacts } from "../../../layers/kinds/runtimes.ts"
import { hubSettings } from "../../../layers/models/hugging-face/settings.ts"
import { hiveFolder, queenFolder } from "../../../layers/paths/index.ts"
import type { Settings } from "../../../layers/settings/index.ts"
import { whyNoSqlite } from "../../../layers/sqlite/try.ts"
import { cudaFinding, engineFinding } from "../../../machines/doctor/engine.ts"
import type { Finding } from "../../../machines/doctor/finding.ts"
import { diskFinding, folderFinding, type FolderFacts } from "../../../machines/doctor/folders.ts"
import { memoryFinding } from "../../../machines/doctor/memory.ts"
import { nodeFinding, settingsFinding, storeFinding } from "../../../machines/doctor/program.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import { knobs, variableOf } from "../../config/knobs.ts"

export const program = Effect.map(whyNoSqlite, (trouble): ReadonlyArray<Finding> => {
  const { arch, platform, version, versions } = process
  return [nodeFinding({ version, abi: versions.modules, platform, arch }), storeFinding(trouble)]
})

/** What programs read besides the settings. */
const others = ["RBEE_HOME", "RBEE_TOKEN", "RBEE_TOKEN_FILE", "RBEE_HIVE_INVITE", "RBEE_HIVE_INVITE_FILE", wokenMark]

export const settings = ({ home }: Settings, trouble: RbeeError | undefined): Finding => {
  const known = new Set([...knobs.map(variableOf), ...others])
  const unknown = Object.keys(process.env).filter((name) => name.startsWith("RBEE_") && !known.has(name))
  return settingsFinding({ file: home.config, isThere: existsSync(home.config), trouble, unknown })
}

export const engines = ({ hive, home }: Settings): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.promise(async () => {
    const places = { folder: hiveFolder(home, hive.id) }
    const env = environmentOf(process.env)
    const tool = findTool(env["PATH"] ?? "")
    const [engine, cuda, cards] = await Promise.all([
      runtimeFacts.engine(places, env),
      runtimeFacts.cuda(places, env),
      tool === undefined ? { gpus: [], driver: undefined } : askNvidia(tool)
    ])
    const nvidia = { hasDriver: hasDriver(), hasTool: tool !== undefined }
    return [engineFinding(engine), cudaFinding({ ...nvidia, ...cards, ...cuda })]
  })

export const memory = (): Finding => memoryFinding(memoryFacts())

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "unknown")

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The nearest folder that is there: the one itself, or above it. */
const nearest = (path: string): string => (existsSync(path) || dirname(path) === path ? path : nearest(dirname(path)))

const foundAt = (path: string): FolderFacts["found"] => {
  try {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) return { _tag: "Missing", canBeMade: isWritable(nearest(path)) }
    const { mode, uid } = found
    const kind = found.isDirectory() ? "folder" : "file"
    return { _tag: "There", kind, uid, mode, isWritable: isWritable(path) }
  } catch (error) {
    const code = codeOf(error)
    return code === "ENOTDIR" ? { _tag: "Missing", canBeMade: false } : { _tag: "Unreadable", code }
  }
}

const hivesIn = (state: string): ReadonlyArray<string> => {
  try {
    return readdirSync(state).filter((name) => name.startsWith("hive-"))
  } catch {
    return []
  }
}

export const folders = ({ home }: Settings): ReadonlyArray<Finding> => {
  const folder = (what: string, path: string, isPrivate: boolean) =>
    ({ what, path, isPrivate, wanted: "folder" }) as const
  return [
    // those within are private each by itself
    folder("state", home.state, false),
    folder("logs", home.logs, true),
    folder("queen", queenFolder(home), true),
    ...hivesIn(home.state).map((name) => folder("hive", join(home.state, name), true)),
    folder("models", hubSettings(process.env).cache, false),
    { what: "token", path: ownTokenFile(home), isPrivate: true, wanted: "file" } as const
  ].map((one) => folderFinding({ ...one, found: foundAt(one.path), uid: process.getuid?.() ?? 0 }))
}

const freeBytes = (folder: string): number | undefined => {
  try {
    const { bavail, bsize } = statfsSync(nearest(folder))
    return bavail * bsize
  } catch {
    return undefined
  }
}

export const disks = ({ home }: Settings): ReadonlyArray<Finding> =>
  (
    [
      ["state", home.state],
      ["models", hubSettings(process.env).cache]
    ] as const
  ).map(([what, folder]) => diskFinding({ what, folder, freeBytes: freeBytes(folder) }))
