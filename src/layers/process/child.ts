/**
 * A child that dies with its owner. It leads a process group of its own, so that a terminal's Ctrl-C passes it by and
 * its own children end with it. Its stdin is the leash: the kernel closes it when we die, however we die.
 */
import { type ChildProcess, spawn as spawnProcess } from "node:child_process"
import { Readable, Writable } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { identityOf } from "./identity.ts"
import { type Child, type ChildOptions, controlFd, type ExitStatus } from "./index.ts"
import { confine } from "./confine.ts"
import { makeLastWords } from "./last-words.ts"
import { lineSplitter } from "./lines.ts"
import { ChildLog } from "./log-file.ts"
import { signalGroup, waitUntil } from "./signals.ts"

/** characters a control line may have */
const controlLineMax = 64 * 1024
/** a grandchild outside the group may hold the pipes open: they are cut this long after the exit */
const drainMs = 1000

/** What it writes goes to the log and the last words; what it says on descriptor 3 goes line by line to its owner. */
const listen = (child: ChildProcess, options: ChildOptions): (() => string) => {
  const words = makeLastWords()
  const log = options.logFile === undefined ? undefined : new ChildLog(options.logFile)
  for (const output of [child.stdout, child.stderr]) {
    output?.setEncoding("utf8").on("data", (text: string) => {
      words.push(text)
      const behind = log?.write(text)
      if (behind === undefined) return
      // pause the child rather than gather its words in memory while the disk is slow
      const resume = (): void => void output.resume()
      output.pause()
      behind.once("drain", resume).once("close", resume)
    })
  }
  const lines = lineSplitter(controlLineMax, (line) => options.onControlLine?.(line))
  const control = child.stdio[controlFd]
  if (control instanceof Readable) {
    control.setEncoding("utf8").on("data", lines.push).on("end", lines.end)
    control.on("error", () => undefined)
  }
  child.once("close", () => log?.end())
  return words.read
}

/** Completes when the process is gone and its pipes are drained, and leaves nothing of its group behind. */
const watch = (child: ChildProcess, pid: number, exit: Deferred.Deferred<ExitStatus>): void => {
  child.once("exit", () => {
    signalGroup(pid, "SIGKILL")
    const cut = setTimeout(() => {
      for (const pipe of child.stdio) pipe?.destroy()
    }, drainMs)
    child.once("close", () => clearTimeout(cut))
  })
  child.once("close", (code, signal) => {
    Deferred.unsafeDone(exit, Effect.succeed({ code: code ?? undefined, signal: signal ?? undefined }))
  })
}

type StartFailure = RbeeError<"WORKER_START_FAILED">

interface Started extends Child {
  /** the process is gone; its pipes may still hold words */
  readonly gone: () => boolean
}

/** Listeners are attached in the turn of the spawn, so that no early word and no early exit is missed. */
const start = (options: ChildOptions, exit: Deferred.Deferred<ExitStatus>): Effect.Effect<Started, StartFailure> =>
  Effect.async((resume) => {
    const refuse = (why: string): void =>
      resume(Effect.fail(rbeeError("WORKER_START_FAILED", `${options.command} could not be started: ${why}`)))
    try {
      const [command, ...args] = options.confined === true ? confine(options) : [options.command, ...options.args]
      const child = spawnProcess(command, args, {
        env: { ...options.env },
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        detached: true,
        stdio: ["pipe", "pipe", "pipe", "pipe"]
      })
      child.once("error", (error) => refuse(error.message))
      if (child.pid === undefined) return
      const pid = child.pid
      // a broken leash is the child's end, which `exit` reports
      child.stdin?.on("error", () => undefined)
      const control = child.stdio[controlFd]
      if (options.firstLine !== undefined && control instanceof Writable) control.write(`${options.firstLine}\n`)
      // not yet reaped, so it can be identified even if it died at once (as a zombie it has no start of its own)
      const id = identityOf(pid) ?? { pid, start: "gone" }
      watch(child, pid, exit)
      const lastWords = listen(child, options)
      const gone = (): boolean => child.exitCode !== null || child.signalCode !== null
      resume(Effect.succeed({ id, exit: Deferred.await(exit), lastWords, gone }))
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error))
    }
  })

const end = (child: Started, graceMs: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (!child.gone()) {
      signalGroup(child.id.pid, "SIGTERM")
      if (!(yield* Effect.promise(() => waitUntil(child.gone, graceMs)))) signalGroup(child.id.pid, "SIGKILL")
    }
    yield* child.exit
  })

export const spawn = (options: ChildOptions): Effect.Effect<Child, StartFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const exit = yield* Deferred.make<ExitStatus>()
    return yield* Effect.acquireRelease(start(options, exit), (child) => end(child, options.graceMs))
  })
