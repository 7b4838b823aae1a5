/** `rbee open`, `rbee inspect`: a page of the queen, opened in a browser where there is one; or a trace file, served here. */
import { spawn } from "node:child_process"
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { findAnyQueen } from "../../../actors/keeper/lifecycle.ts"
import { makeHttpClient } from "../../../layers/transport/http/client/client.ts"
import { serveHttp } from "../../../layers/transport/http/server/server.ts"
import { pageHandlers } from "../../../layers/pages/files.ts"
import { pagesApi, traceApi } from "../../../layers/pages/index.ts"
import { ownApi } from "../../../protocol/queen/own.ts"
import { clusterToken } from "../../../layers/keys/own-token.ts"
import { QueenLauncher } from "../../../layers/queen-launcher/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Expose } from "../../cluster/world.ts"
import { notRunning } from "../not-running.ts"
import type { Context } from "../spec.ts"
import { inWorld } from "../world.ts"

export interface InspectFlags {
  readonly print: boolean
  readonly port: number | undefined
}

const pageOf = (context: Context) => ({
  api: pagesApi,
  // on loopback, for this user: no token, as for a daemon
  handlers: pageHandlers({ folder: context.programs, sessions: undefined })
})

const loopback = { host: "127.0.0.1", port: 0, role: "inspector" }

export const inspect = (
  file: string | undefined,
  flags: InspectFlags,
  context: Context
): Effect.Effect<number, RbeeError> =>
  file === undefined ? ofCluster("/inspect", flags, context) : ofTrace(file, flags, context)

/** The queen's own page. */
export const open = (print: boolean, context: Context): Effect.Effect<number, RbeeError> =>
  ofCluster("/", { print, port: undefined }, context)

const ofCluster = (page: "/" | "/inspect", flags: InspectFlags, context: Context) =>
  inWorld(
    context,
    Effect.gen(function* () {
      const health = yield* findAnyQueen
      if (health === undefined) return notRunning(context, false)
      const { url } = yield* QueenLauncher
      const token = clusterToken(context.settings)
      const { path } = yield* makeHttpClient(pagesApi, { baseUrl: url, token }).ticket({ page })
      yield* show(`${url}${path}`, flags, context)
      return 0
    })
  )

const ofTrace = (file: string, flags: InspectFlags, context: Context) =>
  Effect.scoped(
    Effect.gen(function* () {
      const path = resolve(process.cwd(), file)
      const read = Effect.tryPromise({
        try: () => readFile(path, "utf8"),
        catch: (error) =>
          rbeeError("INVALID_REQUEST", `cannot read ${file}`, "Give a trace file", {
            reason: error instanceof Error ? error.message : String(error)
          })
      })
      // now already: nobody should open a page to hear that there is no file
      yield* read
      const handlers = { trace: () => read }
      const { url } = yield* serveHttp({
        ...loopback,
        apis: [pageOf(context), { api: traceApi, handlers }],
        port: flags.port ?? 0
      }).pipe(Logger.withMinimumLogLevel(LogLevel.Warning))
      yield* show(`${url}/inspect?trace`, flags, context)
      context.terminal.stderr.write("bee-keeper: Ctrl-C ends it\n")
      yield* context.terminal.interrupted
      return 0
    })
  )

/** The port of `infer --one-process --inspect`; it closes with the cluster. */
export const expose =
  (context: Context): Expose =>
  (api) =>
    Effect.gen(function* () {
      const { url } = yield* serveHttp({ ...loopback, apis: [{ api: ownApi, handlers: api }, pageOf(context)] })
      context.terminal.stderr.write(`bee-keeper: inspector on ${url}/inspect\n`)
    })

const show = (address: string, flags: InspectFlags, context: Context): Effect.Effect<void> =>
  Effect.sync(() => {
    context.terminal.stdout.write(`${address}\n`)
    if (!flags.print && context.terminal.stdout.isTTY) openBrowser(address)
  })

/** Best effort: the address is printed anyway. */
const openBrowser = (address: string): void => {
  const isMac = process.platform === "darwin"
  const { DISPLAY, WAYLAND_DISPLAY } = process.env
  if (!isMac && DISPLAY === undefined && WAYLAND_DISPLAY === undefined) return
  const child = spawn(isMac ? "open" : "xdg-open", [address], { detached: true, stdio: "ignore" })
  child.on("error", () => {})
  child.unref()
}
