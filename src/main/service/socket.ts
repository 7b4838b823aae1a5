/**
 * Where our units for this cluster's queen are installed, systemd wakes her with the next connection, starts her again when
 * she fails, and may have one waiting for her turn. `rbee down` means all of that, and `rbee up` has it listen again.
 */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { noteHeld } from "../../layers/daemon/held-address.ts"
import { living } from "../../layers/daemon/state-file.ts"
import { queenFolder } from "../../layers/paths/index.ts"
import type { Context } from "../cli/spec.ts"
import { inWorld } from "../cli/world.ts"
import { here } from "./here.ts"
import { type Scope, scopes } from "./service.ts"
import { listenStream, systemctlOf, unitFolder, unitName } from "./systemd.ts"
import { runTool } from "./tool.ts"

const socket = unitName("queen", "socket")
const service = unitName("queen", "service")

const listensAt = (scope: Scope, address: string): boolean => {
  try {
    const text = readFileSync(`${unitFolder(scope, here().configHome)}/${socket}`, "utf8")
    return text.split("\n").includes(`ListenStream=${address}`)
  } catch {
    return false
  }
}

/** Whose units are for her address. None for what systemd itself runs as it stops her: it would wait for itself. */
const installed = ({ settings: { queen } }: Context): ReadonlyArray<Scope> => {
  const address = listenStream(queen.host, queen.port)
  if (address === undefined || process.env["RBEE_SERVICE"] !== undefined) return []
  return scopes.filter((scope) => listensAt(scope, address))
}

interface Stopped {
  /** now, or before */
  readonly isStopped: boolean
  readonly said: ReadonlyArray<string>
}

/** `done`: what is said where it ran */
const stop = (scope: Scope, units: ReadonlyArray<string>, done: ReadonlyArray<string>): Effect.Effect<Stopped> =>
  Effect.gen(function* () {
    const systemctl = systemctlOf(scope)
    const { stdout } = yield* runTool([...systemctl, "show", "--property=ActiveState", ...units])
    if (!/=(?!inactive|failed)./.test(stdout)) return { isStopped: true, said: [] }
    const { code, stderr } = yield* runTool([...systemctl, "stop", ...units])
    if (code === 0) return { isStopped: true, said: done }
    const why = stderr.trim().split("\n").at(-1) ?? ""
    const todo = `${scope === "system" ? "sudo " : ""}${systemctl.join(" ")} stop ${units.join(" ")}`
    return { isStopped: false, said: [`${units.join(" and ")} may wake her again (${why}); to stop it: ${todo}`] }
  })

/** Before she ends. Returns what to say of it. */
export const stopSocket = (context: Context): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const found = installed(context)
    if (found.length === 0) return []
    const done = [`${socket} stopped: no connection wakes her until ${context.typed("up")}`]
    const all = yield* Effect.forEach(found, (scope) => stop(scope, [socket], done))
    // from now on to connect is to look
    if (all.every(({ isStopped }) => isStopped))
      yield* inWorld(context, noteHeld(queenFolder(context.settings.home), undefined))
    return all.flatMap(({ said }) => said)
  })

/** After she has ended: systemd may have started the next one, its socket before it, or have one that waits. */
export const stopService = (context: Context): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    Effect.forEach(installed(context), (scope) => stop(scope, [socket, service], [])),
    (all) => all.flatMap(({ said }) => said)
  )

/** systemd runs `rbee down` also after she ended by herself: then it is about nobody. */
export const isAfterHer = process.env["RBEE_SERVICE"] !== undefined

/** While she sleeps: one who leads without it has the address. What cannot be told is as it was: she is woken without. */
export const startSocket = (context: Context): Effect.Effect<void> =>
  Effect.gen(function* () {
    const scopes = installed(context)
    if (scopes.length === 0 || (yield* inWorld(context, living(queenFolder(context.settings.home)))) !== undefined)
      return
    yield* Effect.forEach(scopes, (scope) => runTool([...systemctlOf(scope), "start", socket]), { discard: true })
  })
