/**
 * A machine of its own for a test with real processes: its own home, its own ports, the real programs of dist/. When
 * the test ends everything that still runs under this home is killed, and `leftovers` tells what that would be.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { homeOf } from "../../src/layers/paths/index.ts"
import { readOwnToken } from "../../src/layers/keys/own-token.ts"
import { patience } from "./patience.ts"

/** another folder of built programs: so that two checkouts, or two people, do not build under each other's tests */
const programs = process.env.RBEE_TEST_PROGRAMS ?? fileURLToPath(new URL("../../dist/", import.meta.url))

export interface Finished {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
  /** milliseconds from start to the first byte of stdout */
  readonly firstByteMs: number | undefined
}

/** A running `rbee`, whose output can be waited for. */
export interface Running {
  readonly process: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  readonly signal: (signal: NodeJS.Signals) => void
  readonly finished: Promise<Finished>
  /** Resolves as soon as the condition holds; it is tried at every byte that arrives. Rejects when rbee ends before. */
  readonly until: (condition: (running: Running) => boolean) => Promise<void>
}

export interface Proc {
  readonly pid: number
  readonly role: "rbee" | "queen" | "hive" | "worker" | "other"
  readonly command: string
}

export interface Machine {
  readonly home: string
  readonly ports: { readonly queen: number; readonly hive: number; readonly worker: number }
  readonly queenUrl: string
  readonly env: Record<string, string>
  /** starts `rbee ARGS` */
  readonly start: (args: ReadonlyArray<string>, options?: RunOptions) => Running
  /** runs `rbee ARGS` to its end */
  readonly rbee: (args: ReadonlyArray<string>, options?: RunOptions) => Promise<Finished>
  /** what its daemons are called with */
  readonly token: () => string | undefined
  /** a call with it, unless another one is given */
  readonly fetch: typeof fetch
  /** living processes that were started under this home */
  readonly processes: () => ReadonlyArray<Proc>
  /** ports of this machine's range on which somebody listens */
  readonly listening: () => ReadonlyArray<number>
  readonly dispose: () => Promise<void>
}

export interface RunOptions {
  readonly stdin?: string
  /** more of it comes from `process.stdin` */
  readonly stdinGoesOn?: boolean
  readonly env?: Record<string, string>
  readonly cwd?: string
  /** milliseconds after which the run is killed and fails the test; default 60 s */
  readonly limitMs?: number
}

/** Resolves when `condition` holds; rejects with `what` after the bound, which is longer on a busy machine. */
export const eventually = async (
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  boundMs = 10_000
): Promise<void> => {
  const end = Date.now() + patience(boundMs)
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${boundMs} ms: ${typeof what === "string" ? what : what()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

/** A free port with nine free neighbours above it, so that queen, hive and workers have a range of their own. */
export const freeRange = async (): Promise<number> => {
  for (;;) {
    // below the kernel's ephemeral range, so that no client socket takes one in between
    const base = 11_000 + Math.floor(Math.random() * 1900) * 10
    const free = await Promise.all(Array.from({ length: 10 }, (_, i) => isFree(base + i)))
    if (free.every(Boolean)) return base
  }
}

const roleOf = (command: string): Proc["role"] => {
  const match = command.match(/\/(rbee|queen|hive|worker)\.js(\s|$)/)
  return (match?.[1] as Proc["role"] | undefined) ?? "other"
}

export const processesUnder = (home: string): Array<Proc> =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return []
    try {
      const environ = readFileSync(`/proc/${name}/environ`, "utf8")
      // a user's own home where RBEE_HOME says nothing
      if (!environ.split("\0").some((pair) => pair === `RBEE_HOME=${home}` || pair === `HOME=${home}`)) return []
      if (/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${name}/stat`, "utf8"))) return []
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim()
      return command === "" ? [] : [{ pid: Number(name), role: roleOf(command), command }]
    } catch {
      return [] // gone while we looked
    }
  })

const listeners = (): Set<number> => {
  const ports = new Set<number>()
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    if (!existsSync(file)) continue
    for (const row of readFileSync(file, "utf8").split("\n").slice(1)) {
      const [, local, , state] = row.trim().split(/\s+/)
      if (state === "0A" && local !== undefined) ports.add(Number.parseInt(local.split(":")[1] ?? "0", 16))
    }
  }
  return ports
}

/** Kills everything that was started under this home. */
export const killUnder = (home: string): Promise<void> =>
  eventually(
    () => {
      const left = processesUnder(home)
      for (const { pid } of left) {
        try {
          process.kill(pid, "SIGKILL")
        } catch {
          // gone already
        }
      }
      return left.length === 0
    },
    () => `processes gone: ${JSON.stringify(processesUnder(home))}`
  )

export const makeMachine = async (
  options: {
    readonly env?: Record<string, string>
    readonly folder?: string
    readonly programs?: string
    /** words before each command: `ip netns exec NAME` */
    readonly prefix?: ReadonlyArray<string>
  } = {}
): Promise<Machine> => {
  const home = mkdtempSync(join(options.folder ?? tmpdir(), "rbee-"))
  const base = await freeRange()
  const ports = { queen: base, hive: base + 1, worker: base + 2 }
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !/^(RBEE_|HF_|NODE_OPTIONS|VITEST|NO_COLOR|FORCE_COLOR)/.test(entry[0])
    )
  )
  const env: Record<string, string> = {
    ...inherited,
    RBEE_HOME: home,
    RBEE_QUEEN_PORT: String(ports.queen),
    RBEE_HIVE_PORT: String(ports.hive),
    RBEE_WORKER_PORT_BASE: String(ports.worker),
    ...options.env
  }
  const entry = join(options.programs ?? programs, "rbee.js")

  const start = (args: ReadonlyArray<string>, run: RunOptions = {}): Running => {
    const [command = process.execPath, ...words] = [...(options.prefix ?? []), process.execPath, entry, ...args]
    const child = spawn(command, words, {
      env: { ...env, ...run.env },
      cwd: run.cwd ?? home,
      stdio: ["pipe", "pipe", "pipe"]
    })
    const began = Date.now()
    let stdout = ""
    let stderr = ""
    let firstByteMs: number | undefined
    const watchers = new Set<() => void>()
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      firstByteMs ??= Date.now() - began
      stdout += text
      for (const watch of watchers) watch()
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      for (const watch of watchers) watch()
    })
    child.stdin.on("error", () => {})
    if (run.stdinGoesOn !== true) child.stdin.end(run.stdin ?? "")
    let ended = false
    const finished = new Promise<Finished>((resolve, reject) => {
      const limit = setTimeout(
        () => {
          child.kill("SIGKILL")
          reject(new Error(`rbee ${args.join(" ")} did not end in time\n${stdout}\n${stderr}`))
        },
        run.limitMs ?? patience(60_000)
      )
      child.once("close", (code) => {
        clearTimeout(limit)
        ended = true
        for (const watch of watchers) watch()
        resolve({ code: code ?? undefined, stdout, stderr, firstByteMs })
      })
    })
    finished.catch(() => {}) // whoever awaits it sees it
    const running: Running = {
      process: child,
      stdout: () => stdout,
      stderr: () => stderr,
      signal: (signal) => void child.kill(signal),
      finished,
      until: (condition) =>
        new Promise((resolve, reject) => {
          const watch = () => {
            if (condition(running)) {
              watchers.delete(watch)
              resolve()
            } else if (ended) {
              watchers.delete(watch)
              reject(new Error(`rbee ${args.join(" ")} ended before that\n${stdout}\n${stderr}`))
            }
          }
          watchers.add(watch)
          watch()
        })
    }
    return running
  }

  const token = () => env["RBEE_TOKEN"] ?? readOwnToken(homeOf({ RBEE_HOME: home }, home))

  return {
    home,
    ports,
    queenUrl: `http://127.0.0.1:${ports.queen}`,
    env,
    start,
    rbee: (args, run) => start(args, run).finished,
    token,
    fetch: (url, init) => {
      const headers = new Headers(init?.headers)
      const own = token()
      if (own !== undefined && !headers.has("authorization")) headers.set("authorization", `Bearer ${own}`)
      return fetch(url, { ...init, headers })
    },
    processes: () => processesUnder(home),
    listening: () => [...listeners()].filter((port) => port >= base && port < base + 10),
    dispose: async () => {
      await killUnder(home)
      rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}

/** The lines of stderr, without the ones that depend on the machine's speed. */
export const narration = (stderr: string): ReadonlyArray<string> => stderr.split("\n").filter((line) => line !== "")
