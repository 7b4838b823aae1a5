/** Which service is meant: what this command was told, and where rbee is, as `systemd.ts` and `launchd.ts` need it. */
import { isAbsolute, join } from "node:path"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { Settings } from "../../layers/settings/index.ts"
import { environmentOf, loadSettings } from "../config.ts"
import type { Context } from "../cli/spec.ts"
import { here } from "./here.ts"
import { launchdSteps } from "./launchd.ts"
import { hasControls, type Role, type Scope, type Service, type Steps, systemState } from "./service.ts"
import { listenStream, systemdSteps } from "./systemd.ts"

export interface Asked {
  readonly role: string | undefined
  readonly system: boolean
  /** of a service of the machine */
  readonly account: string | undefined
  readonly local: boolean
}

/** Folders and files that a daemon finds by its environment; a token is no such thing. */
const carried = [
  "XDG_STATE_HOME",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "HF_HOME",
  "HF_HUB_CACHE",
  "HF_TOKEN_PATH",
  "OLLAMA_MODELS",
  "LLAMA_CACHE",
  "NODE_EXTRA_CA_CERTS",
  "RBEE_TOKEN_FILE",
  "RBEE_HIVE_INVITE_FILE"
] as const

const proxies = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"]
/** How a daemon reaches the hub. */
const reaching = ["HF_ENDPOINT", "HF_HUB_OFFLINE", ...proxies, ...proxies.map((name) => name.toLowerCase())]

/** A unit can be read by others: an address with a password in it does not stand there. */
const isSecret = (value: string): boolean => /\/\/[^/@]*@/.test(value)
const leftOut = (): ReadonlyArray<string> => reaching.filter((name) => isSecret(process.env[name] ?? ""))

const usage = (what: string, todo: string) => rbeeError("INVALID_REQUEST", what, todo, { usage: true })

const roleOf = (role: string | undefined): Effect.Effect<Role, RbeeError> =>
  role === undefined || role === "queen" || role === "hive"
    ? Effect.succeed(role ?? "queen")
    : usage(`there is no service '${role.slice(0, 60)}'`, "Say queen, or hive.")

/** What was said by flag or environment, which a service would not see; what stands in the config file it reads itself. */
const said = (settings: Settings, base: Settings): Readonly<Record<string, string>> => {
  const own = environmentOf(settings)
  const usual = environmentOf(base)
  return Object.fromEntries(Object.entries(own).filter(([name, value]) => usual[name] !== value))
}

const environment = (asked: Asked, { settings }: Context, isWokenByCalls: boolean) =>
  Effect.gen(function* () {
    const given = (names: ReadonlyArray<string>, isCarried: (value: string) => boolean): Record<string, string> =>
      Object.fromEntries(
        names.flatMap((name) => {
          const value = process.env[name] ?? ""
          return value !== "" && isCarried(value) ? [[name, value] as const] : []
        })
      )
    const found = { ...given(carried, isAbsolute), ...given(reaching, (value) => !isSecret(value)) }
    const home = process.env["RBEE_HOME"]
    const base = yield* loadSettings({ env: { ...process.env, ...onlyHome(home) } })
    const state = asked.system
      ? { RBEE_HOME: home ?? systemState, HF_HOME: found["HF_HOME"] ?? join(systemState, "models") }
      : environmentOf(settings)["RBEE_HOME"] === undefined
        ? {}
        : { RBEE_HOME: settings.home.state }
    // where nobody would wake it, it stays until it is told to end, as what `rbee up` wakes
    const stays = { RBEE_QUEEN_IDLE_MS: "never", RBEE_HIVE_IDLE_MS: "never" }
    return {
      RBEE_SERVICE: "1",
      ...(isWokenByCalls ? {} : stays),
      ...found,
      ...said(settings, base),
      ...state
    }
  })

/** The environment without rbee's settings, but for where its home is. */
const onlyHome = (home: string | undefined): Record<string, string | undefined> => ({
  ...Object.fromEntries(
    Object.keys(process.env).flatMap((name) => (name.startsWith("RBEE_") ? [[name, undefined]] : []))
  ),
  RBEE_HOME: home
})

/** Her address as systemd has it for her; none where it cannot: a name that has to be looked up, or launchd. */
const listensFor = (role: Role, { queen }: Settings): ReadonlyArray<string> => {
  if (role !== "queen" || process.platform === "darwin") return []
  const own = listenStream(queen.host, queen.port)
  const forOllama = queen.ollamaPort === undefined ? undefined : listenStream(queen.host, queen.ollamaPort)
  return own === undefined ? [] : [own, ...(forOllama === undefined ? [] : [forOllama])]
}

/** The service, and what is done for it on this system. */
export const described = (
  asked: Asked,
  context: Context
): Effect.Effect<Steps & { readonly service: Service }, RbeeError> =>
  Effect.gen(function* () {
    const role = yield* roleOf(asked.role)
    const scope: Scope = asked.system ? "system" : "user"
    const place = here()
    const listens = listensFor(role, context.settings)
    const service: Service = {
      role,
      scope,
      node: process.execPath,
      program: join(context.programs, `${role}.js`),
      cli: join(context.programs, "rbee.js"),
      environment: yield* environment(asked, context, listens.length > 0),
      leftOut: leftOut(),
      account: asked.system ? (asked.account ?? process.env["SUDO_USER"] ?? place.user) : undefined,
      isLocal: asked.local,
      log: join(
        asked.system ? join(systemState, "logs") : context.settings.home.logs,
        role === "queen" ? "queen.log" : `hive-${context.settings.hive.id}.log`
      ),
      listens
    }
    const strange = [service.node, service.program, service.account ?? "", ...Object.values(service.environment)].find(
      hasControls
    )
    if (strange !== undefined)
      return yield* usage(
        `a service cannot have ${JSON.stringify(strange.slice(0, 60))}`,
        "Take a name without control characters."
      )
    if (process.platform === "darwin") return { ...launchdSteps(service, place), service }
    return { ...systemdSteps(service, place), service }
  })
