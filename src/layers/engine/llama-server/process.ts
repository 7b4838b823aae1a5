/**
 * llama.cpp's server as a process of this worker: in its group, so that it ends with it, and told by the kernel where the
 * worker goes without a word.
 */
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { confine } from "../../process/confine.ts"
import { nativeEnvironment } from "../../process/environment.ts"
import { makeLastWords } from "../../process/last-words.ts"

export interface ServerStart {
  readonly program: string
  readonly args: ReadonlyArray<string>
  /** hears what it says */
  readonly onWords: (text: string) => void
  readonly onPid: (pid: number) => void
}

/** How it went, as the system tells it. */
export interface ServerEnd {
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
}

export interface Server {
  readonly url: string
  /** who calls must show it */
  readonly key: string
  /** what stands for an image in a prompt: nobody outside can know it */
  readonly mediaMarker: string
  readonly pid: number
  readonly lastWords: () => string
  /** called once, when it has gone by itself; at once where it has already */
  readonly onEnd: (heard: (end: ServerEnd) => void) => void
}

/** after SIGTERM, milliseconds */
const graceMs = 2000

const listening = /listening on (http:\/\/127\.0\.0\.1:\d+)/

type StartFailure =
  | RbeeError<"BACKEND_UNAVAILABLE">
  | { readonly _tag: "Ended"; readonly end: ServerEnd; readonly words: string }

const cannot = (reason: string): RbeeError<"BACKEND_UNAVAILABLE"> =>
  rbeeError(
    "BACKEND_UNAVAILABLE",
    `llama-server could not be started (${reason})`,
    "See `rbee engines show llama-server`"
  )

/** Completes once it says where it listens, which it does when its model is loaded. */
export const startServer = ({
  args,
  onPid,
  onWords,
  program
}: ServerStart): Effect.Effect<Server, StartFailure, Scope.Scope> => {
  const key = randomBytes(24).toString("base64url")
  const mediaMarker = `<__media_${randomBytes(12).toString("hex")}__>`
  const start = Effect.async<{ readonly server: Server; readonly stop: () => Promise<void> }, StartFailure>(
    (resume) => {
      const [command, ...rest] = confine({ command: program, args }, { diesWithUs: true })
      const child = spawn(command, rest, {
        env: { ...nativeEnvironment(process.env), LLAMA_API_KEY: key, LLAMA_MEDIA_MARKER: mediaMarker },
        stdio: ["ignore", "pipe", "pipe"]
      })
      if (child.pid !== undefined) onPid(child.pid)
      const words = makeLastWords()
      let end: ServerEnd | undefined
      let stopped = false
      const heard: Array<(end: ServerEnd) => void> = []
      const gone = new Promise<void>((resolve) => child.once("close", () => resolve()))
      const stop = async (): Promise<void> => {
        stopped = true
        if (child.pid === undefined || end !== undefined) return
        child.kill("SIGTERM")
        const killing = setTimeout(() => child.kill("SIGKILL"), graceMs)
        await gone
        clearTimeout(killing)
      }
      const onEnd: Server["onEnd"] = (hear) => {
        if (end === undefined) heard.push(hear)
        else hear(end)
      }
      let said = ""
      const hear = (text: string): void => {
        words.push(text)
        onWords(text)
        if (child.pid === undefined || said === "ready") return
        said = (said + text).slice(-4096)
        const url = listening.exec(said)?.[1]
        if (url === undefined) return
        said = "ready"
        const server: Server = { url, key, mediaMarker, pid: child.pid, lastWords: words.read, onEnd }
        resume(Effect.succeed({ server, stop }))
      }
      for (const output of [child.stdout, child.stderr]) output.setEncoding("utf8").on("data", hear)
      child.once("error", (error) => resume(Effect.fail(cannot(error.message.replace(/\S*[/\\]/g, "")))))
      child.once("close", (code, signal) => {
        end = { code: code ?? undefined, signal: signal ?? undefined }
        resume(Effect.fail({ _tag: "Ended", end, words: words.read() }))
        if (!stopped) for (const tell of heard) tell(end)
      })
      return Effect.promise(stop)
    }
  )
  return Effect.map(
    Effect.acquireRelease(Effect.interruptible(start), ({ stop }) => Effect.promise(stop)),
    ({ server }) => server
  )
}
