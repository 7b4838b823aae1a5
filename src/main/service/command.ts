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
import type { Service, Steps, UnitFile } from "./service.ts"

const told = (args: ReadonlyArray<string>): string =>
  args.map((one) => (/^[A-Za-z0-9_./:=,@-]+$/.test(one) ? one : `'${one.replaceAll("'", "'\\''")}'`)).join(" ")

/** One as it is; of several each with its name, as `systemctl cat` does. */
const printed = (files: ReadonlyArray<UnitFile>): string =>
  files.length === 1
    ? files.map(({ text }) => text).join("")
    : files.map(({ file, text }) => `# ${file}\n${text}`).join("\n")

const isThere = ({ files: [{ file }] }: Steps): boolean => existsSync(file)

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

const written = ({ file, text }: UnitFile): Effect.Effect<void, RbeeError> =>
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

const withoutThem = ({ leftOut, role }: Service): string =>
  `left out, for there is a password in it and a service's settings can be read by others: ${leftOut.join(", ")}. Where the ${role} needs it, name a proxy that asks for none, or give the unit an EnvironmentFile of mode 0600.`

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
    const { files, forget, install: commands, notes, service } = steps
    if (service.leftOut.length > 0) context.terminal.stderr.write(`${withoutThem(service)}\n`)
    if (print) {
      context.terminal.stdout.write(printed(files))
      return 0
    }
    if (!isThere(steps) && service.role === "queen") yield* addressIsFree(context)
    const before = files.map(({ file }) => ({ file, text: existsSync(file) ? readFileSync(file, "utf8") : undefined }))
    mkdirSync(dirname(service.log), { recursive: true, mode: 0o700 })
    // what could not be told is not left behind
    const takenBack = Effect.suspend(() => {
      for (const { file, text } of before)
        if (text === undefined) rmSync(file, { force: true })
        else writeFileSync(file, text)
      return Effect.forEach(forget, (args) => Effect.ignore(run(args)), { discard: true })
    })
    const done = Effect.zipRight(
      Effect.forEach(files, written, { discard: true }),
      Effect.forEach(commands, run, { discard: true })
    )
    yield* Effect.onError(done, () => takenBack)
    return lines(
      context,
      ...files.map(({ file }) => `wrote ${file}`),
      ...commands.map((args) => `ran ${told(args)}`),
      `the ${service.role} is a service now, and starts again when it fails; ${notes.join("; ")}`,
      ...(service.listens.length === 0
        ? []
        : [`idle she ends, and the first connection to ${service.listens.join(" or ")} wakes her`]),
      ...(service.role === "queen" ? ["hives of other machines need no service: she wakes them over SSH"] : []),
      `to undo it: ${undoes(asked, context)}`
    )
  })

export const uninstall = (asked: Asked, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const steps = yield* described(asked, context)
    const { files, forget, service, uninstall: commands } = steps
    if (!isThere(steps)) return lines(context, `the ${service.role} is no service (there is no ${files[0].file})`)
    yield* Effect.forEach(commands, run, { discard: true })
    const removed = ({ file }: UnitFile) =>
      Effect.try({
        try: () => rmSync(file, { force: true }),
        catch: () => rbeeError("FORBIDDEN", `${file} cannot be removed`, "A service of the machine is removed as root")
      })
    yield* Effect.forEach(files, removed, { discard: true })
    yield* Effect.forEach(forget, run, { discard: true })
    return lines(
      context,
      ...commands.map((args) => `ran ${told(args)}`),
      ...files.map(({ file }) => `removed ${file}`),
      "models, jobs and settings stay where they are"
    )
  })

/** systemd's properties, a line each. */
const property = (text: string, name: string): string =>
  text.split("\n").flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []))[0] ?? ""

/** Of systemd the service's properties, and after an empty line its socket's. */
const statusLine = (role: string, all: string): { readonly runs: boolean; readonly line: string } => {
  const [text = "", socket = ""] = all.split(/\n\n/)
  // launchd says `state = running`
  if (!text.includes("ActiveState="))
    return { runs: /state = running/.test(text), line: `${role}: ${/state = (.+)/.exec(text)?.[1] ?? "unknown"}` }
  const [active, sub, enabled, pid, result] = ["ActiveState", "SubState", "UnitFileState", "MainPID", "Result"].map(
    (name) => property(text, name)
  )
  const how = active === "failed" ? `failed (${result})` : `${active} (${sub})`
  const isHeld = property(socket, "ActiveState") === "active"
  const held = socket.trim() === "" ? "" : `; ${property(socket, "Id")} ${isHeld ? "listens" : "does not listen"}`
  const line = `${role}: ${how}, ${enabled}${pid === "0" ? "" : `, pid ${pid}`}${held}`
  // asleep behind its socket it is there for whoever calls
  return { runs: active === "active" || (active !== "failed" && isHeld), line }
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
