/** What is there, before anything is changed. */
import { existsSync, readFileSync, statfsSync } from "node:fs"
import { cpus, freemem, totalmem } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { lastLines } from "../../process/log-file.ts"
import type { Asks, Look } from "../questions.ts"
import { livingHive, livingHives } from "./hives.ts"
import { npmCommand } from "./npm.ts"
import { places } from "./places.ts"

const inPath = (name: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, name)))

export const installedVersion = (folder = places.current): string | undefined => {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(places.packageIn(folder), "package.json"), "utf8"))
    return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : undefined
  } catch {
    return undefined
  }
}

/** The folder may be still to be made: its disk is that of its nearest parent. */
const freeBytes = (folder: string): number => {
  if (!existsSync(folder)) return freeBytes(dirname(folder))
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** "client port server port", set by sshd */
const connectionEnds = (): Look["ends"] => {
  const [queen, , hive] = (process.env["SSH_CONNECTION"] ?? "").split(" ")
  return queen === undefined || hive === undefined ? undefined : { queen, hive }
}

export const look = async ({ hive, queen }: Asks["look"]): Promise<Look> => {
  const installed = installedVersion()
  const living = await livingHive(hive)
  const others = await livingHives()
  const ends = connectionEnds()
  return {
    platform: process.platform,
    arch: process.arch,
    node: process.version,
    npm: npmCommand() !== undefined,
    folder: places.hive(hive),
    socket: places.socket(queen, hive),
    cores: cpus().length,
    ram_mb: Math.floor(totalmem() / 1e6),
    ram_free_mb: Math.floor(freemem() / 1e6),
    disk_free_mb: Math.floor(freeBytes(places.root) / 1e6),
    gpu_tools: ["nvidia-smi", "rocm-smi", "vulkaninfo"].filter(inPath),
    others: others.flatMap(({ id, url }) => (id === hive ? [] : [{ id, url }])),
    clock: Date.now(),
    ...(installed === undefined ? {} : { installed }),
    ...(living === undefined ? {} : { hive: living }),
    ...(ends === undefined ? {} : { ends })
  }
}

export const logs = ({ hive, lines }: Asks["logs"]): { readonly text: string } => ({
  text: lastLines(places.logOf(hive), lines)
})
