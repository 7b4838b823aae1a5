/** npm, started by path and with arguments, never through a shell. */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { type Env, npmEnvironment } from "../../process/environment.ts"
import { signalGroup } from "../../process/signals.ts"

/** npm's own program beside this Node, else the first `npm` of the path. */
export const npmCommand = (): { readonly command: string; readonly args: ReadonlyArray<string> } | undefined => {
  const own = join(dirname(process.execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js")
  if (existsSync(own)) return { command: process.execPath, args: [own] }
  const found = (process.env["PATH"] ?? "").split(delimiter).find((one) => one !== "" && existsSync(join(one, "npm")))
  return found === undefined ? undefined : { command: join(found, "npm"), args: [] }
}

export interface RunOptions {
  readonly cwd: string
  readonly timeoutMs: number
  /** ends it, and whatever it started */
  readonly signal: AbortSignal
  readonly env: Env
  /** hears each line that it says */
  readonly onLine?: (line: string) => void
}

const keptWords = 16_384

/** What npm says of its failure, without what it says to everybody. */
const reasonIn = (words: string): string => {
  const lines = words.trim().split("\n")
  const errors = lines.flatMap(
    (line) => /^npm (?:error|ERR!) (?!.*(?:complete log|debug-\d+\.log))(.+)$/.exec(line)?.[1] ?? []
  )
  return (errors.length > 0 ? errors.slice(0, 8) : lines.slice(-5)).join(" ").slice(0, 500)
}

/** Runs a program to its end; a failure has its last words. `node` is found first, whatever the login's path is. */
export const runToEnd = (command: string, args: ReadonlyArray<string>, options: RunOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    const path = `${dirname(process.execPath)}${delimiter}${options.env["PATH"] ?? ""}`
    const child = spawn(command, [...args], {
      cwd: options.cwd,
      env: { ...npmEnvironment(options.env), PATH: path },
      // a group of its own: npm has compilers below it
      detached: true,
      stdio: ["ignore", "ignore", "pipe"]
    })
    let words = ""
    let cause: Error | undefined
    const end = (why: Error) => {
      cause ??= why
      if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL")
    }
    const onAbort = () => end(new Error("it was interrupted"))
    const timer = setTimeout(() => end(new Error(`no end within ${options.timeoutMs / 1000} s`)), options.timeoutMs)
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(-keptWords)
      if (options.onLine !== undefined) for (const line of text.split("\n")) options.onLine(line)
    })
    const settle = (failure: Error | undefined) => {
      clearTimeout(timer)
      options.signal.removeEventListener("abort", onAbort)
      if (failure === undefined) resolve()
      else reject(failure)
    }
    child.once("error", settle)
    child.once("close", (code, signal) => {
      settle(
        code === 0 ? undefined : (cause ?? new Error(reasonIn(words) || `it ended with ${code ?? signal ?? "no code"}`))
      )
    })
    options.signal.addEventListener("abort", onAbort)
    if (options.signal.aborted) onAbort()
  })
