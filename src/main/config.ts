/**
 * The settings of every program, read once at its start: flag > environment > config file > default. All programs
 * call `loadSettings`; a daemon gets what its parent was told by `environmentOf`.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { RbeeError, rbeeError } from "../machines/errors.ts"
import { isLoopback } from "../machines/vocabulary/address.ts"
import { tokenLength } from "../machines/vocabulary/token.ts"
import { type Settings } from "../layers/settings/index.ts"
import { defaults } from "../layers/settings/defaults.ts"
import { ensureOwnToken, isOwnToken } from "../layers/keys/own-token.ts"
import { readConfigFile } from "./config/file.ts"
import { type Env, findHome } from "./config/home.ts"
import { defaultOf, type Knob, knobs, nameOf, textOf, type Value, variableOf } from "./config/knobs.ts"
import { readInvitation, readToken } from "./config/token.ts"

export interface Sources {
  /** by knob name: `{"queen.port": 8501}`; undefined: not given */
  readonly flags?: Readonly<Record<string, Value | undefined>>
  /** the process environment */
  readonly env: Env
  /** what relative paths start from; the working directory if absent */
  readonly cwd?: string
  /** for a daemon: a token is made where there is none */
  readonly makeToken?: boolean
  /** for a hive: one that joins a queen has a secret of its own in the place of the cluster's token */
  readonly secretOf?: (place: Pick<Settings, "home" | "hive" | "queen">) => string | undefined
  /** hears what the user should know but what is no error (a stand-in for a missing home folder) */
  readonly onNote?: (note: string) => void
}

const versionOfPackage = (): string => {
  const parsed: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "0.0.0"
}
/** of this build; the bundler puts the constant in, source runs read package.json */
export const version: string = process.env.RBEE_BUILD_VERSION ?? versionOfPackage()

const chosen = (knob: Knob, from: string, value: Value): Value => {
  const read = knob.kind.read(value)
  if (read !== undefined) return read
  const shown = JSON.stringify(textOf(value).slice(0, 60))
  throw rbeeError("INVALID_REQUEST", `${from}: ${shown} is not accepted`, `Accepted: ${knob.kind.accepts}.`, {
    field: nameOf(knob),
    // a bad flag is a mistake of the call, a bad variable or file one of the setting-up
    ...(from.startsWith("--") ? { usage: true } : {})
  })
}

const load = async (sources: Sources): Promise<Settings> => {
  const { env, flags = {}, cwd = process.cwd() } = sources
  const { home, note } = findHome(env, cwd)
  if (note !== undefined) sources.onNote?.(note)
  const file = await readConfigFile(home.config)
  const values = { queen: {}, hive: {}, worker: {}, shutdown: {} } as Record<
    Knob["section"],
    Record<string, Value | undefined>
  >
  for (const knob of knobs) {
    const flag = flags[nameOf(knob)]
    const variable = env[variableOf(knob)]
    values[knob.section][knob.field] =
      flag !== undefined
        ? chosen(knob, `--${nameOf(knob).replace(/[._]/g, "-")}`, flag)
        : variable !== undefined && variable !== ""
          ? chosen(knob, variableOf(knob), variable)
          : (file.values.get(knob) ?? defaultOf(knob))
  }
  const place = { home, queen: { ...defaults.queen, ...values.queen }, hive: { ...defaults.hive, ...values.hive } }
  const secret = sources.secretOf?.(place)
  if (sources.makeToken === true && secret === undefined && readToken(env, home, file.tokenFile, cwd) === undefined)
    ensureOwnToken(home)
  const token = secret ?? readToken(env, home, file.tokenFile, cwd)
  const isChosen = token !== undefined && !isOwnToken(token)
  const settings: Settings = {
    ...place,
    version,
    worker: { ...defaults.worker, ...values.worker },
    shutdown: { ...defaults.shutdown, ...values.shutdown },
    defaultModel: file.defaultModel,
    ...(file.engines === undefined ? {} : { engines: file.engines }),
    token
  }
  for (const [name, host] of [
    ["queen.host", settings.queen.host],
    ["hive.host", settings.hive.host]
  ] as const)
    if (!isChosen && !isLoopback(host))
      throw rbeeError(
        "INVALID_REQUEST",
        `${name} is ${host}, which other machines can reach, and there is no token of yours`,
        `Put at least ${tokenLength.min} characters into RBEE_TOKEN or a file of mode 0600 named by RBEE_TOKEN_FILE, or use 127.0.0.1.`,
        { field: name }
      )
  return settings
}

const reading = <A>(read: () => Promise<A>): Effect.Effect<A, RbeeError<"INVALID_REQUEST">> =>
  Effect.tryPromise({ try: read, catch: (cause) => cause }).pipe(
    Effect.catchAll((cause) =>
      // everything that is thrown on purpose here has this code; the rest is a bug
      cause instanceof RbeeError ? Effect.fail(cause as RbeeError<"INVALID_REQUEST">) : Effect.die(cause)
    )
  )

/** INVALID_REQUEST names where the bad value stands (flag, variable, or file, line and field) and what is accepted. */
export const loadSettings = (sources: Sources): Effect.Effect<Settings, RbeeError<"INVALID_REQUEST">> =>
  reading(() => load(sources))

/** Where things are, and nothing of what the user said besides: for who tells what is wrong with that. */
export const defaultSettings = (env: Env): Effect.Effect<Settings, RbeeError<"INVALID_REQUEST">> =>
  reading(async () => ({ ...defaults, home: findHome(env, process.cwd()).home, version }))

/** By what this hive joins a queen for the first time; undefined: it needs none, or has none. */
export const loadInvitation = (env: Env): Effect.Effect<string | undefined, RbeeError<"INVALID_REQUEST">> =>
  reading(async () => readInvitation(env, process.cwd()))

/** The environment that gives a child daemon exactly these settings, whatever flags its parent had. */
export const environmentOf = (settings: Settings): Readonly<Record<string, string>> => {
  const env: Record<string, string> = {}
  for (const knob of knobs) {
    const value = (settings[knob.section] as Readonly<Record<string, Value | undefined>>)[knob.field]
    if (value !== undefined) env[variableOf(knob)] = textOf(value)
  }
  // resolved here, so that the child's own working directory cannot change it
  const { state, logs, config } = settings.home
  if (logs === join(state, "logs") && config === join(state, "config.toml")) env["RBEE_HOME"] = state
  return env
}
