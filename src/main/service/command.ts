/** `rbee service install | status | logs | uninstall`: each says what it did, and how that is undone. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import { findAnyQueen } from "../../actors/keeper/lifecycle.ts"
import { runTool } from "./tool.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { notRunningCode } from "../cli/not-running.ts"
import type { Context } from "../cli/spec.ts"
import { inWorld } from "../cli/world.ts"
import { type Asked, described } from "./described.ts"
import type { Steps } from "./service.ts"

const told = (args: ReadonlyArray<string>): string =>
  args.map((one) => (/^[A-Za-z0-9_./:=,@-]+$/.test(one) ? one : `'${one.replaceAll("'", "'\\''")}'`)).join(" ")

const isThere = ({ file }: Steps): boolean => existsSync(file)

/** Runs one; fails with what it said. */
const run = (args: ReadonlyArray<string>): Effect.Effect<string, RbeeError> =>
  Effect.flatMap(runTool(args), ({ code, isMissing, stderr, stdout }) => {
    if (code === 0) return Effect.succeed(stdout)
    if (isMissing)
      return rbeeError(
        "BACKEND_UNAVAILABLE",
        `${args[0]} is not on this machine`,
        "`rbee up` has queen and hive stay without it; `rbee service install --print` shows what it would be told"
      )
    const why = (stderr.trim() || stdout.trim()).split("\n").at(-1) ?? ""
    return rbeeError("BACKEND_UNAVAILABLE", `\`${told(args)}\` failed: ${why === "" ? `exit code ${code}` : why}`)
  })

const written = (file: string, text: string): Effect.Effect<void, RbeeError> =>
  Effect.try({
    try: () => {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text, { mode: 0o644 })
    },
    catch: (cause) =>
      rbeeError(
        "FORBIDDEN",
        `${file} cannot be written (${cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)})`,
        "A service of the machine is installed as root; without --system it is this user's"
      )
  })

const lines = (context: Context, ...all: ReadonlyArray<string>): number => {
  for (const one of all) context.terminal.stdout.write(`${one}\n`)
  return 0
}

const undoes = (asked: Asked, context: Context): string =>
  context.typed(
    `service uninstall${asked.role === undefined ? "" : ` ${asked.role}`}${asked.system ? " --system" : ""}`
  )

/** One that runs already has the address: the service would end at once. */
const addressIsFree = (context: Context) =>
  Effect.gen(function* () {
    if ((yield* inWorld(context, findAnyQueen)) === undefined) return
    return yield* rbeeError(
      "CONFLICT",
      `a queen runs on port ${context.settings.queen.port} already`,
      `End her first, then install again: ${context.typed("down")}`
    )
  })

export const install = (asked: Asked, print: boolean, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    if (process.env["RBEE_TOKEN"] !== undefined)
      return yield* rbeeError(
        "INVALID_REQUEST",
        "RBEE_TOKEN is a secret, and a service's settings can be read by others",
        "Put it into a file of mode 0600, and name that in RBEE_TOKEN_FILE.",
        { field: "RBEE_TOKEN" }
      )
    const steps = yield* described(asked, context)
    const { file, forget, install: commands, notes, service, text } = steps
    if (print) {
      context.terminal.stdout.write(text)
      return 0
    }
    const before = isThere(steps) ? readFileSync(file, "utf8") : undefined
    if (before === undefined && service.role === "queen") yield* addressIsFree(context)
    mkdirSync(dirname(service.log), { recursive: true, mode: 0o700 })
    yield* written(file, text)
    // what could not be told is not left behind
    const takenBack = Effect.suspend(() => {
      if (before === undefined) rmSync(file, { force: true })
      else writeFileSync(file, before)
      return Effect.forEach(forget, (args) => Effect.ignore(run(args)), { discard: true })
    })
    yield* Effect.onError(Effect.forEach(commands, run, { discard: true }), () => takenBack)
    return lines(
      context,
      `wrote ${file}`,
      ...commands.map((args) => `ran ${told(args)}`),
      `the ${service.role} is a service now, and starts again when it fails; ${notes.join("; ")}`,
      ...(service.role === "queen" ? ["hives of other machines need no service: she wakes them over SSH"] : []),
      `to undo it: ${undoes(asked, context)}`
    )
  })

export const uninstall = (asked: Asked, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const steps = yield* described(asked, context)
    const { file, forget, service, uninstall: commands } = steps
    if (!isThere(steps)) return lines(context, `the ${service.role} is no service (there is no ${file})`)
    yield* Effect.forEach(commands, run, { discard: true })
    yield* Effect.try({
      try: () => rmSync(file),
      catch: () => rbeeError("FORBIDDEN", `${file} cannot be removed`, "A service of the machine is removed as root")
    })
    yield* Effect.forEach(forget, run, { discard: true })
    return lines(
      context,
      ...commands.map((args) => `ran ${told(args)}`),
      `removed ${file}; models, jobs and settings stay where they are`
    )
  })

/** systemd's properties, a line each. */
const property = (text: string, name: string): string =>
  text.split("\n").flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []))[0] ?? ""

const statusLine = (role: string, text: string): { readonly runs: boolean; readonly line: string } => {
  // launchd says `state = running`
  if (!text.includes("ActiveState="))
    return { runs: /state = running/.test(text), line: `${role}: ${/state = (.+)/.exec(text)?.[1] ?? "unknown"}` }
  const [active, sub, enabled, pid, result] = ["ActiveState", "SubState", "UnitFileState", "MainPID", "Result"].map(
    (name) => property(text, name)
  )
  const how = active === "failed" ? `failed (${result})` : `${active} (${sub})`
  return { runs: active === "active", line: `${role}: ${how}, ${enabled}${pid === "0" ? "" : `, pid ${pid}`}` }
}

export const status = (asked: Asked, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const steps = yield* described(asked, context)
    const { role } = steps.service
    if (!isThere(steps)) {
      context.terminal.stderr.write(`the ${role} is no service; to make it one: ${context.typed("service install")}\n`)
      return notRunningCode
    }
    const { line, runs } = statusLine(role, yield* run(steps.status))
    lines(context, line)
    return runs ? 0 : notRunningCode
  })

export const logs = (asked: Asked, count: number, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const steps = yield* described(asked, context)
    context.terminal.stdout.write(yield* run(steps.logs(count)))
    return 0
  })
