/**
 * Builds this very package beside what is there: a folder of its own a version, npm for this platform, tried by starting
 * a hive from it. It is taken into use by `use`. What fails, or is waited for by nobody any more, leaves nothing.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import type { Answer, Asks } from "../questions.ts"
import { endIn, launch } from "./hives.ts"
import { discard } from "./incoming.ts"
import { lifeline } from "./lifeline.ts"
import { installedVersion } from "./look.ts"
import { loginEnvironment } from "./login.ts"
import { npmCommand, runToEnd } from "./npm.ts"
import { places } from "./places.ts"
import { refuse } from "./refuse.ts"
import { currentFolder, folderOf, freshFolder, makeVersions, sweepUnfinished } from "./versions.ts"

const npmMs = 15 * 60_000
/** a registry that has not answered by then does not */
const reachMs = 12_000
const progressMs = 5000
/** a registry that goes away meanwhile is not waited for long */
const retries = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
const endMs = 5000
/** a hive that is tried, and whose trial was killed, ends by itself */
const trialIdleMs = 20_000

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
  try {
    await launch(
      join(places.packageIn(folder), "dist", "hive.js"),
      { id: "verify", folder: hive },
      join(home, "verify.log"),
      {
        ...env,
        RBEE_HOME: home,
        RBEE_HIVE_ID: "verify",
        RBEE_HIVE_PORT: String(await freePort()),
        RBEE_HIVE_IDLE_MS: String(trialIdleMs)
      }
    )
  } finally {
    await endIn(hive, endMs)
    rmSync(home, { recursive: true, force: true })
  }
}

/** What may help, by npm's own words. */
const cureOf = (reason: string): string => {
  if (/CERT|SELF_SIGNED|UNABLE_TO_|certificate/i.test(reason))
    return "Name the authority's file in NODE_EXTRA_CA_CERTS in the profile there, or in npm's `cafile`"
  if (/proxy|tunneling/i.test(reason))
    return "Check the proxies in the profile there, and npm's `proxy` and `https-proxy`"
  return "It needs the npm registry (`npm config get registry` there), and a C++ compiler where better-sqlite3 has no binary"
}

const npmFailed =
  (step: string) =>
  (error: Error): never =>
    /ENOSPC|EDQUOT|no space left/i.test(error.message)
      ? refuse("DISK_FULL", `the disk became full there during npm ${step}`, "Make room there")
      : refuse("DOWNLOAD_FAILED", `npm ${step} failed there: ${error.message}`, cureOf(error.message))

/** The package of a line of npm's about its registry: `npm http fetch GET 200 https://REGISTRY/@scope%2fname 80ms`. */
const packageIn = (line: string): string | undefined => {
  const [, path = ""] = /^npm http (?:fetch|cache) .*?https?:\/\/[^/\s]+\/(\S+)/.exec(line) ?? []
  const name = /^(?:@[\w.~-]+(?:%2f|\/))?[\w.~-]+/i.exec(path)?.[0]
  return name?.replace(/%2f/i, "/")
}

/** Says now and then how far npm is; gives what hears its lines, and what ends the saying. */
const progress = (what: string) => {
  let fetched = 0
  let last = ""
  const began = Date.now()
  const timer = setInterval(() => {
    const seconds = Math.round((Date.now() - began) / 1000)
    const far = fetched === 0 ? "" : `${fetched} fetched${last === "" ? "" : ` (${last})`}, `
    say(`${what}: ${far}${seconds} s`)
  }, progressMs)
  return {
    onLine: (line: string) => {
      if (!/^npm http (fetch|cache)/.test(line)) return
      fetched++
      last = packageIn(line) ?? last
    },
    end: () => clearInterval(timer)
  }
}

/** npm asks its registry for one package first: what is wrong on the way there is known at once, not after its retries. */
const reachable = ["view", "better-sqlite3", "version", "--fetch-retries=0", `--fetch-timeout=${reachMs - 3000}`]

const build = async (fresh: string, archive: string, signal: AbortSignal): Promise<void> => {
  const npm = npmCommand()
  if (npm === undefined) return refuse("NODE_MISSING", "npm was not found beside Node there", "Install Node with npm")
  mkdirSync(fresh, { recursive: true, mode: 0o700 })
  writeFileSync(join(fresh, "package.json"), `{"private":true}\n`)
  const env = await loginEnvironment()
  const common = ["--no-audit", "--no-fund", "--no-update-notifier", "--prefix", fresh]
  const run = async (step: string, args: ReadonlyArray<string>, timeoutMs = npmMs, onLine?: (line: string) => void) =>
    runToEnd(npm.command, [...npm.args, step, ...args, ...common], {
      ...{ cwd: fresh, timeoutMs, signal, env },
      ...(onLine === undefined ? {} : { onLine })
    }).catch(npmFailed(step))
  const told = async (what: string, step: string, ...args: ReadonlyArray<string>) => {
    say(what)
    const { end, onLine } = progress(what)
    await run(step, [...args, "--loglevel=http", ...retries], npmMs, onLine).finally(end)
  }
  const [view = "", ...args] = reachable
  await run(view, [...args, "--loglevel=error"], reachMs)
  await told(
    "installing packages",
    ...(["install", archive, "--ignore-scripts", "--omit=dev", "--no-package-lock", "--include=optional"] as const)
  )
  await told("preparing the store", "rebuild", "better-sqlite3")
}

/** The same package by another installation at the same time is as good. */
const publish = (fresh: string, folder: string): void => {
  try {
    renameSync(fresh, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  }
}

const digestOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex")

export const install = async (ask: Asks["install"]): Promise<Answer<"install">> => {
  const { archive, digest, version } = ask
  const signal = lifeline()
  const folder = folderOf(ask)
  const fresh = freshFolder()
  try {
    sweepUnfinished()
    if (currentFolder() === folder && installedVersion() === version) return { inUse: true }
    if (existsSync(folder)) return { inUse: false }
    if (!digestOf(archive).startsWith(digest))
      return refuse("CHECKSUM_MISMATCH", "the package did not arrive there whole", "Install it again")
    makeVersions()
    await build(fresh, archive, signal)
    signal.throwIfAborted()
    say("starting it for a try")
    await verify(fresh)
    signal.throwIfAborted()
    publish(fresh, folder)
    return { inUse: false }
  } catch (error) {
    if (signal.aborted) return refuse("CANCELLED", "the installation was interrupted", "Install it again")
    throw error
  } finally {
    rmSync(fresh, { recursive: true, force: true })
    discard({ archive })
  }
}
