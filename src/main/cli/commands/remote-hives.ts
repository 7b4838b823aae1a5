/** Commands about hives of other machines: add, show, install, upgrade, uninstall, forget, logs. */
import * as Effect from "effect/Effect"
import { decoder } from "../../../machines/formats/json/decode.ts"
import { heardIn, lineIn } from "../../../actors/keeper/job-stream.ts"
import { connect, findAnyQueen, startQueen } from "../../../actors/keeper/lifecycle.ts"
import { makeRenderer } from "../../../actors/keeper/renderer.ts"
import type { QueenLauncher } from "../../../layers/queen-launcher/index.ts"
import type { DaemonFiles } from "../../../layers/daemon/index.ts"
import type { Processes } from "../../../layers/process/index.ts"
import { printable } from "../../../layers/terminal/index.ts"
import { readEvents } from "../../../protocol/sse.ts"
import type { OwnApi } from "../../../protocol/queen/own.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { HiveView, MachineView } from "../../../machines/vocabulary/hive.ts"

import { Power, SshPlace } from "../../../machines/vocabulary/place.ts"
import { logs as localLogs, readable } from "./logs.ts"
import { failureIn } from "../../cluster/answer.ts"
import { notRunning } from "../not-running.ts"
import type { Context } from "../spec.ts"
import { roomOf } from "../table.ts"
import { hivesTable } from "../views.ts"
import { asleepNote, hivesAsleep } from "./asleep.ts"
import { hivesOf } from "./lists.ts"
import { inWorld } from "../world.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"
import { hiveNamed } from "../named.ts"
import { typedWord } from "../../../machines/formats/shell-quote.ts"
import { fact } from "../../../machines/facts.ts"

export interface AddValues {
  readonly host: string | undefined
  readonly user: string | undefined
  readonly port: number | undefined
  readonly identity: string | undefined
  readonly hivePort: number | undefined
  readonly direct: boolean
  readonly node: string | undefined
  readonly hostKey: string | undefined
  readonly acceptNewHostKey: boolean
  readonly mac: string | undefined
  readonly broadcast: string | undefined
  readonly sleepAfter: string | undefined
}

/** a port beside the queen's usual one, for a machine of its own */
const usualPort = 8600

const answer = (context: Context, text: string): number => {
  context.terminal.stdout.write(`${text}\n`)
  return 0
}

/**
 * Calls the queen, woken first; whoever only looks or forgets wakes nobody, and says with `asleep` what to answer then. Where a key needs its passphrase and somebody is there to type it, it is asked for and
 * the call repeated.
 */
const withQueen = (
  context: Context,
  use: (api: OwnApi) => Effect.Effect<number, RbeeError, QueenLauncher>,
  asleep?: Effect.Effect<number, RbeeError, DaemonFiles | Processes>
) =>
  inWorld(
    context,
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      if (asleep !== undefined && (yield* findAnyQueen) === undefined) return yield* asleep
      yield* startQueen(makeRenderer(context.terminal, "plain", () => clock.unsafeCurrentTimeMillis()))
      const api = yield* connect
      return yield* use(api).pipe(
        Effect.catchIf(
          (error) => fact(error, "locked") !== undefined && context.terminal.stdinIsTTY,
          (error) =>
            Effect.gen(function* () {
              const file = fact(error, "locked") ?? ""
              const passphrase = yield* context.terminal.readSecret(`passphrase of ${printable(file)}: `)
              const { opens } = yield* api.unlockKey({ file, passphrase })
              if (!opens)
                return yield* rbeeError("SSH_AUTH_FAILED", `this passphrase does not open ${file}`, "Try again")
              return yield* use(api)
            })
        )
      )
    })
  )

const withHive = (
  context: Context,
  name: string,
  use: (api: OwnApi, alias: HiveId) => Effect.Effect<number, RbeeError, QueenLauncher>,
  asleep?: (alias: HiveId) => Effect.Effect<number, RbeeError, DaemonFiles | Processes>
) => Effect.flatMap(hiveNamed(name), (alias) => withQueen(context, (api) => use(api, alias), asleep?.(alias)))

const usage = (what: string, todo: string) => rbeeError("INVALID_REQUEST", what, todo, { usage: true })

const placeOf = (alias: string, values: AddValues): Effect.Effect<SshPlace, RbeeError<"INVALID_REQUEST">> =>
  decoder(SshPlace)({
    host: values.host ?? alias,
    hive_port: values.hivePort ?? usualPort,
    ...(values.direct ? { direct: true } : {}),
    ...(values.user === undefined ? {} : { user: values.user }),
    ...(values.port === undefined ? {} : { port: values.port }),
    ...(values.identity === undefined ? {} : { identity: values.identity }),
    ...(values.node === undefined ? {} : { node: values.node })
  }).pipe(Effect.mapError(notAccepted))

/** Of a schema's account the words that say what is taken: its own, or those of a number's bounds. */
const notAccepted = ({ message }: Error) => {
  const lines = message.split("\n").map((line) => line.replace(/^[\s\u2500\u2502\u2514\u251c]*/, ""))
  const own = lines.slice(1).find((line) => !/^\["|^\{|^Predicate|^Expected undefined|\| undefined$| & /.test(line))
  const expected = /Expected (.+?), actual/.exec(own ?? "")?.[1] ?? own ?? "another value"
  const field = /\["(\w+)"\]/.exec(message)?.[1] ?? "value"
  return usage(`--${field.replace("_", "-")} is not accepted`, `Accepted: ${expected}.`)
}

const unitS = { s: 1, m: 60, h: 3600, d: 86_400 } as const
const isUnit = (text: string): text is keyof typeof unitS => text in unitS

/** `30m`; undefined: never. */
const sleepAfterS = (text: string): Effect.Effect<number | undefined, RbeeError<"INVALID_REQUEST">> => {
  if (text === "never") return Effect.succeed(undefined)
  const [, count, unit = ""] = /^(\d{1,6}) ?([smhd])$/.exec(text.trim()) ?? []
  return count === undefined || !isUnit(unit)
    ? usage(`--sleep-after takes a time, not '${text.slice(0, 60)}'`, "For example 30m, 2h or never")
    : Effect.succeed(Number(count) * unitS[unit])
}

/** Undefined: it is as it was, which of a new one is always on. */
const powerOf = ({
  broadcast,
  mac,
  sleepAfter
}: AddValues): Effect.Effect<Power | undefined, RbeeError<"INVALID_REQUEST">> =>
  Effect.gen(function* () {
    if (mac === undefined && broadcast === undefined && sleepAfter === undefined) return undefined
    if (mac === undefined)
      return yield* usage("nobody could wake it again without --mac", "Say the address of its network card with --mac")
    const sleep_after_s = sleepAfter === undefined ? undefined : yield* sleepAfterS(sleepAfter)
    return yield* decoder(Power)({
      mac,
      ...(broadcast === undefined ? {} : { broadcast }),
      ...(sleep_after_s === undefined ? {} : { sleep_after_s })
    }).pipe(Effect.mapError(notAccepted))
  })

export const add = (name: string, values: AddValues, context: Context) =>
  Effect.gen(function* () {
    const alias = yield* hiveNamed(name)
    const ssh = yield* placeOf(alias, values)
    const power = yield* powerOf(values)
    return yield* withQueen(context, (api) =>
      Effect.gen(function* () {
        const added = (hostKey: string | undefined) =>
          api.addHive({
            id: alias,
            ssh,
            accept_new_host_key: values.acceptNewHostKey,
            ...(power === undefined ? {} : { power }),
            ...(hostKey === undefined ? {} : { host_key: hostKey })
          })
        yield* trusting(added, values.hostKey, context).pipe(
          Effect.mapError((error) => typedAnew(error, alias, values, context))
        )
        const machine = yield* api.checkHive({ id: alias })
        answer(context, machineLines(alias, machine))
        return answer(
          context,
          machine.installed === context.settings.version
            ? `hive ${alias} added; try: ${context.typed("infer")} --hive ${alias} "hello"`
            : `hive ${alias} added; now: ${context.typed(`hives install ${alias}`)}`
        )
      })
    )
  })

/** hosts on the way, each with a key of its own, and then some */
const mostHosts = 8

/** Asks of each host key that was never seen, as ssh does, where somebody is there to answer. */
const trusting = <A>(
  added: (hostKey: string | undefined) => Effect.Effect<A, RbeeError>,
  given: string | undefined,
  context: Context,
  left = mostHosts
): Effect.Effect<A, RbeeError> =>
  Effect.catchIf(
    added(given),
    ({ code }) => code === "SSH_HOST_KEY_UNKNOWN" && isTyped(context) && left > 0,
    (error) =>
      Effect.flatMap(trusted(error, context), (hostKey) =>
        hostKey === undefined ? error : trusting(added, hostKey, context, left - 1)
      )
  )

const isTyped = ({ terminal }: Context): boolean => terminal.stdinIsTTY && terminal.stderr.isTTY

/** The fingerprint, if it is right; undefined: no, or nothing was said. */
const trusted = (error: RbeeError, { terminal }: Context) =>
  Effect.scoped(
    Effect.gen(function* () {
      const fingerprint = fact(error, "fingerprint")
      if (fingerprint === undefined) return undefined
      const lines = yield* terminal.lines
      terminal.stderr.write(`bee-keeper: ${printable(error.what)}\n`)
      for (;;) {
        const question = "bee-keeper: is it right, and shall it be recorded (yes, no, or the fingerprint)? "
        const said = yield* Effect.raceFirst(lines.next(question), Effect.as(lines.interrupted, undefined))
        const answer = said?.trim()
        if (answer === "yes" || answer === fingerprint) return fingerprint
        if (answer === undefined || answer === "no" || answer.startsWith("SHA256:")) return undefined
      }
    })
  )

/** The way out is this very command: with the alias and the flags that it was called with. */
const typedAnew = (error: RbeeError, alias: HiveId, values: AddValues, { typed }: Context): RbeeError => {
  if (error.code !== "SSH_HOST_KEY_UNKNOWN" || fact(error, "fingerprint") === undefined) return error
  const { broadcast, direct, hivePort, host, identity, mac, node, port, sleepAfter, user } = values
  const given = { host, user, port, identity, "hive-port": hivePort, node, mac, broadcast, "sleep-after": sleepAfter }
  const flags = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${typedWord(String(value))}`]
  )
  const command = ["hives add", alias, ...flags, ...(direct ? ["--direct"] : []), "--accept-new-host-key"].join(" ")
  const todo = `Compare it with \`ssh-keygen -lf /etc/ssh/ssh_host_*.pub\` there; if it is right: ${typed(command)}`
  return rbeeError(error.code, error.what, todo, error.details)
}

/** The token alone goes to stdout, so that a pipe or a file can have it. */
export const invite = (
  name: string,
  { direct, url }: { readonly url: string | undefined; readonly direct: boolean },
  context: Context
) =>
  Effect.gen(function* () {
    const id = yield* hiveNamed(name)
    return yield* withQueen(context, (api) =>
      Effect.gen(function* () {
        const { invite: token, valid_s } = yield* api.inviteHive({
          id,
          direct,
          ...(url === undefined ? {} : { url })
        })
        const [, host = "127.0.0.1", port] = /^http:\/\/(.+):(\d+)\/?$/.exec(url ?? "") ?? []
        const { queen } = context.settings
        const queenUrl = `http://${url === undefined ? queen.host : "ADDRESS-OF-THIS-MACHINE"}:${queen.port}`
        const env = [
          `RBEE_HIVE_ID=${name}`,
          ...(url === undefined ? ["RBEE_HIVE_PORT=…"] : [`RBEE_HIVE_HOST=${host}`, `RBEE_HIVE_PORT=${port}`]),
          `RBEE_HIVE_QUEEN=${queenUrl}`,
          "RBEE_HIVE_INVITE=…"
        ]
        context.terminal.stderr.write(
          `bee-keeper: good for one hive ${name}, for ${valid_s / 60} minutes; start it with this environment:\n` +
            `bee-keeper: ${env.join(" ")} node "$(npm root -g)/rbee/dist/hive.js"\n` +
            "bee-keeper: or RBEE_HIVE_INVITE_FILE, a file of mode 0600 with the token in it; later starts need neither\n" +
            (url === undefined
              ? `bee-keeper: this one is for a hive of this machine; for one of another add --url http://ITS-ADDRESS:PORT --direct\n`
              : "")
        )
        return answer(context, token)
      })
    )
  })

const machineLines = (alias: string, machine: MachineView): string => {
  const { arch, cores, disk_free_mb, gpu_tools, latency_ms, node, platform, ram_free_mb, ram_mb } = machine
  const clock =
    Math.abs(machine.clock_ahead_ms) > 5000
      ? `, its clock is off by ${Math.round(machine.clock_ahead_ms / 1000)} s`
      : ""
  const rbee = machine.installed === undefined ? "rbee is not installed" : `rbee ${machine.installed}`
  const hive = machine.hive === undefined ? "" : `, a hive runs (pid ${machine.hive.pid}, rbee ${machine.hive.version})`
  return [
    `${alias}: ${platform} ${arch}, ${cores} cores, ${ram_free_mb} of ${ram_mb} MB RAM free, ${disk_free_mb} MB disk free`,
    `${alias}: Node ${node}, GPU tools: ${gpu_tools.join(", ") || "none"}, answers in ${latency_ms} ms${clock}`,
    `${alias}: ${rbee}${hive}`
  ]
    .map(printable)
    .join("\n")
}

const among = (hives: ReadonlyArray<HiveView>, alias: string): Effect.Effect<HiveView, RbeeError> => {
  const hive = hives.find(({ id }) => id === alias)
  return hive === undefined
    ? rbeeError("HIVE_NOT_FOUND", `there is no hive ${printable(alias.slice(0, 60))}`, "`rbee hives ls` lists them")
    : Effect.succeed(hive)
}

/** What is known of one while she sleeps; where she knows none, nothing is known of any. */
const foundAsleep = (alias: HiveId, json: boolean, context: Context, use: (hive: HiveView) => number) =>
  Effect.flatMap(hivesAsleep(context.settings), (hives) =>
    hives.length === 0 ? Effect.sync(() => notRunning(context, json)) : Effect.map(among(hives, alias), use)
  )

/** `sleeps after 1800 s of idleness, is woken by aa:bb:…; usually up in 42 s` */
const powerLine = ({ power, usually_up_s }: HiveView): string => {
  if (power === undefined) return ""
  const sleeps = power.sleep_after_s === undefined ? "" : `sleeps when it was idle for ${power.sleep_after_s} s, `
  const usually = usually_up_s === undefined ? "" : `; usually up in ${Math.round(usually_up_s)} s`
  return `${sleeps}is woken by ${power.mac}${usually}\n`
}

export const show = (name: string, json: boolean, context: Context) =>
  withHive(
    context,
    name,
    (api, alias) =>
      Effect.gen(function* () {
        const hive = yield* among(yield* hivesOf(api), alias)
        // nobody looks at a machine that sleeps
        const isThere = hive.ssh !== undefined && hive.state !== "asleep"
        const machine = isThere ? yield* api.checkHive({ id: alias }) : undefined
        if (json) return answer(context, JSON.stringify({ ...hive, ...(machine === undefined ? {} : { machine }) }))
        context.terminal.stdout.write(hivesTable([hive], roomOf(context.terminal.stdout)), powerLine(hive))
        return machine === undefined ? 0 : answer(context, machineLines(alias, machine))
      }),
    (alias) =>
      foundAsleep(alias, json, context, (hive) => {
        context.terminal.stderr.write(asleepNote)
        if (json) return answer(context, JSON.stringify(hive))
        context.terminal.stdout.write(hivesTable([hive], roomOf(context.terminal.stdout)))
        return 0
      })
  )

export const remove = (name: string, context: Context) =>
  withHive(
    context,
    name,
    (api, alias) =>
      Effect.map(api.removeHive({ id: alias }), () => answer(context, `hive ${printable(alias)} forgotten`)),
    (alias) => foundAsleep(alias, false, context, () => notRunning(context, false))
  )

const isGone = ({ code }: RbeeError): boolean => code === "CONNECTION_TIMEOUT" || code === "SHUTTING_DOWN"

export const install = (name: string, context: Context) =>
  withHive(context, name, (api, alias) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const renderer = makeRenderer(context.terminal, "plain", () => clock.unsafeCurrentTimeMillis())
      const feed = yield* api.installHive({ id: alias })
      let end: Readonly<Record<string, unknown>> | undefined
      let failure: RbeeError | undefined
      const heard = readEvents(feed, (event) => {
        const { data } = heardIn(event)
        if (event.event === "narration") renderer.say(lineIn(data))
        if (event.event === "done") end = data
        if (event.event === "error") failure = failureIn(event)
      })
      const signal = yield* Effect.raceFirst(
        // a stream that breaks is one that ends without a word: she was shut down, or died
        Effect.catchIf(heard, isGone, () => Effect.void),
        context.terminal.interrupted
      )
      if (signal !== undefined) {
        context.terminal.stderr.write(
          `bee-keeper: interrupted; ${context.typed(`hives show ${printable(alias)}`)} tells what is there\n`
        )
        return signal
      }
      if (failure !== undefined) return yield* failure
      if (end === undefined)
        return yield* rbeeError(
          "CONNECTION_TIMEOUT",
          "the queen ended before the installation did, and what was in use there stays",
          `Run it again: \`rbee hives install ${alias}\``
        )
      const how = end["changed"] === true ? "installed" : "was installed already"
      return answer(context, `rbee ${String(end["version"])} ${how} on ${alias}`)
    })
  )

export const uninstall = (name: string, context: Context) =>
  withHive(context, name, (api, alias) =>
    Effect.map(api.uninstallHive({ id: alias }), ({ removed }) =>
      answer(context, removed ? `rbee uninstalled from ${alias}` : `rbee was not installed on ${alias}`)
    )
  )

export const hiveLogs = (alias: string | undefined, lines: number | undefined, context: Context) =>
  alias === undefined || alias === context.settings.hive.id
    ? localLogs("hive", { follow: false, lines }, context)
    : withHive(context, alias, (api, id) =>
        Effect.map(api.hiveLogs({ id, ...(lines === undefined ? {} : { lines }) }), (text) => {
          let at = ""
          for (const line of text.split("\n").filter((one) => one !== "")) {
            const entry = readable(line, `hive-${alias}`, at)
            at = entry.at
            context.terminal.stdout.write(`${entry.text}\n`)
          }
          return 0
        })
      )
