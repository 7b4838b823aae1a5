/**
 * Installs this very package beside what is there: a folder of its own a version, npm for this platform, verified by
 * starting a hive from it, and only then the link `current` is switched. What fails leaves everything as it was.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:net"
import { basename, join } from "node:path"
import type { Asks } from "../questions.ts"
import { endProcess, launch, otherHives } from "./hives.ts"
import { installedVersion } from "./look.ts"
import { npmCommand, runToEnd } from "./npm.ts"
import { places } from "./places.ts"
import { refuse } from "./refuse.ts"

const npmMs = 15 * 60_000
const endMs = 5000
const unfinished = ".installing-"

export const incoming = ({ name }: Asks["incoming"]): { readonly path: string } => {
  mkdirSync(places.incoming, { recursive: true, mode: 0o700 })
  return { path: join(places.incoming, basename(name)) }
}

const say = (line: string): void => void process.stderr.write(`${line}\n`)

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/** A hive of that installation, in a home of its own, comes up and answers. */
const verify = async (folder: string): Promise<void> => {
  const home = join(folder, "verify")
  const hive = join(home, "hive-verify")
  mkdirSync(hive, { recursive: true, mode: 0o700 })
  const own = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const env = Object.fromEntries(own.filter(([name]) => !name.startsWith("RBEE_")))
  const file = await launch(join(places.packageIn(folder), "dist", "hive.js"), hive, join(home, "verify.log"), {
    ...env,
    RBEE_HOME: home,
    RBEE_HIVE_ID: "verify",
    RBEE_HIVE_PORT: String(await freePort())
  })
  try {
    const answer = await fetch(`${file.url}/health`, { signal: AbortSignal.timeout(5000) })
    if (!answer.ok) refuse("INTERNAL", `the installed hive answered ${answer.status} to /health`, "Report this")
  } finally {
    await endProcess(file, endMs)
    rmSync(home, { recursive: true, force: true })
  }
}

const switchTo = (folder: string): void => {
  const fresh = `${places.current}.${process.pid}`
  rmSync(fresh, { force: true })
  symlinkSync(folder, fresh)
  renameSync(fresh, places.current)
}

const currentFolder = (): string | undefined => {
  try {
    return readlinkSync(places.current)
  } catch {
    return undefined
  }
}

/** What earlier installations left unfinished, and versions that neither is nor was in use just now. */
const sweep = (keep: ReadonlyArray<string | undefined>): void => {
  const names = existsSync(places.versions) ? readdirSync(places.versions) : []
  for (const folder of names.map((name) => join(places.versions, name)))
    if (!keep.includes(folder)) rmSync(folder, { recursive: true, force: true })
}

const build = async (fresh: string, archive: string): Promise<void> => {
  const npm = npmCommand()
  if (npm === undefined) return refuse("NODE_MISSING", "npm was not found beside Node there", "Install Node with npm")
  mkdirSync(fresh, { recursive: true, mode: 0o700 })
  writeFileSync(join(fresh, "package.json"), `{"private":true}\n`)
  const common = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", "--prefix", fresh]
  const run = (args: ReadonlyArray<string>) =>
    runToEnd(npm.command, [...npm.args, ...args, ...common], { cwd: fresh, timeoutMs: npmMs }).catch((error: Error) =>
      refuse(
        "DOWNLOAD_FAILED",
        `npm ${args[0] ?? ""} failed there: ${error.message}`,
        "It needs the npm registry, and a C++ compiler where better-sqlite3 has no binary"
      )
    )
  say("installing packages")
  await run(["install", archive, "--ignore-scripts", "--omit=dev", "--no-package-lock", "--include=optional"])
  say("preparing the store")
  await run(["rebuild", "better-sqlite3"])
}

export const install = async ({ archive, digest, version }: Asks["install"]) => {
  const folder = join(places.versions, `${version}-${digest}`)
  const before = currentFolder()
  try {
    if (before === folder && installedVersion() === version) return { version, folder, changed: false }
    const fresh = join(places.versions, `${unfinished}${process.pid}`)
    if (!existsSync(folder)) {
      try {
        await build(fresh, archive)
        say("starting it for a try")
        await verify(fresh)
        renameSync(fresh, folder)
      } finally {
        rmSync(fresh, { recursive: true, force: true })
      }
    }
    switchTo(folder)
    sweep([folder, before])
    return { version, folder, changed: true }
  } finally {
    rmSync(archive, { force: true })
  }
}

export const uninstall = (): { readonly removed: boolean } => {
  const [living] = otherHives("")
  if (living !== undefined)
    return refuse("CONFLICT", `hive ${living.id} runs there`, `Stop it first: rbee hives stop ${living.id}`)
  const removed = existsSync(places.root)
  rmSync(places.root, { recursive: true, force: true })
  return { removed }
}
