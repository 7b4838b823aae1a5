/**
 * The other end of SSH: a question crosses the simulated network, and a process of that machine answers it with
 * production's code for hives there. The tunnels are not simulated: HTTP goes straight.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { endHive, type HiveHere, wakeHive } from "../../layers/daemon/hive.ts"
import { DaemonProbe, type Ports } from "../../layers/daemon/index.ts"
import { living } from "../../layers/daemon/state-file.ts"
import type { HiveLauncher, HiveTarget } from "../../layers/hive-launcher/index.ts"
import { isErrorCode, type RbeeError, rbeeError, statusOf } from "../../machines/errors.ts"
import { endpoint, type Handlers } from "../../protocol/endpoint.ts"
import { layerPorts } from "./daemons.ts"
import type { Network } from "./network/network.ts"
import type { Host, SimProcess } from "./process.ts"
import { HiveId } from "../../machines/vocabulary/ids.ts"

const State = Schema.Struct({ url: Schema.String, pid: Schema.Int })
const hive = Schema.Struct({ hive: HiveId })
/** a daemon that ends while it starts may say any of them */
const errors = Object.keys(statusOf).filter(isErrorCode)
const api = {
  there: endpoint("GET", "/there", {
    scope: "open",
    summary: "Is its machine there?",
    input: Schema.Struct({}),
    answers: { json: { 204: Schema.Void } }
  }),
  look: endpoint("POST", "/look", {
    scope: "open",
    summary: "Who lives?",
    input: hive,
    answers: { json: { 200: Schema.Struct({ found: Schema.optional(State) }) } },
    errors
  }),
  start: endpoint("POST", "/start", {
    scope: "open",
    summary: "Wakes it",
    input: hive,
    answers: { json: { 200: State } },
    errors
  }),
  end: endpoint("POST", "/end", {
    scope: "open",
    summary: "Ends it",
    input: Schema.Struct({ hive: HiveId, graceMs: Schema.Number }),
    answers: { json: { 200: Schema.Struct({ ended: Schema.Boolean }) } },
    errors
  })
}

/** what a hive that does not answer may take to obey SIGTERM */
const graceMs = 1000
/** a command that runs is waited for; a machine that is out of reach is given up sooner */
const commandMs = 30_000

/** who is there answers at once */
const thereMs = 1000

const urlOf = (machine: Host): string => `http://${machine.name}:22`

/** Runs a command as a process of its own, which goes on when its caller has left. */
const session = <A>(
  system: SimProcess,
  name: string,
  network: Network,
  work: Effect.Effect<A, RbeeError, Ports>
): Effect.Effect<A, RbeeError> =>
  Effect.async((resume) => {
    const process = system.machine.spawn(`ssh-${name}`)
    let answer: Effect.Effect<A, RbeeError> = rbeeError("SSH_FAILED", "a command ended without an answer")
    const told = Effect.onExit(Effect.provide(work, layerPorts(process, network)), (exit) =>
      Effect.sync(() => {
        if (!Exit.isInterrupted(exit)) answer = exit
      })
    )
    process.main(Effect.as(told, 0))
    process.exited(() => system.post(process, () => resume(answer)))
  })

/** What a machine answers to whoever has an account there. */
export const serveSsh = (system: SimProcess, network: Network, hiveOf: (id: HiveId) => HiveHere): void => {
  const handlers: Handlers<typeof api> = {
    there: () => Effect.void,
    look: ({ hive: id }) =>
      session(
        system,
        "look",
        network,
        Effect.map(living(hiveOf(id).folder), (found) => ({ found }))
      ),
    start: ({ hive: id }) =>
      session(
        system,
        "start",
        network,
        Effect.gen(function* () {
          const found = yield* living(hiveOf(id).folder)
          return found ?? (yield* wakeHive(hiveOf(id))).value
        })
      ),
    end: ({ graceMs: grace, hive: id }) =>
      session(
        system,
        "end",
        network,
        Effect.map(endHive(hiveOf(id).folder, grace), (ended) => ({ ended }))
      )
  }
  const served = Effect.zipRight(network.listen(system, urlOf(system.machine), api, handlers), Effect.never)
  system.fork(Effect.scoped(Effect.orDie(served)))
}

/** Hives of other machines, as the queen `process` reaches them. */
export const farHives = (
  process: SimProcess,
  network: Network,
  machineOf: (id: HiveId) => Host | undefined
): HiveLauncher["Type"] => {
  const ask = ({ id }: HiveTarget) => {
    const machine = machineOf(id)
    return machine === undefined
      ? rbeeError("INTERNAL", `there is no machine for hive ${id}`)
      : Effect.succeed(network.connect(process, urlOf(machine), api, { timeoutMs: commandMs }))
  }
  const looked = (target: HiveTarget) =>
    Effect.flatMap(ask(target), (far) => Effect.map(far.look({ hive: target.id }), ({ found }) => found))
  const answers = (target: HiveTarget, url: string) =>
    Effect.flatMap(DaemonProbe, (probe) => probe.ask(url)).pipe(
      Effect.map((seen) => seen._tag === "Daemon" && seen.health.role === "hive" && seen.health.id === target.id),
      Effect.provide(layerPorts(process, network))
    )
  return {
    target: (id) => ({ id, at: `${id}:8600`, port: 8600 }),
    find: (target) =>
      Effect.gen(function* () {
        const found = yield* looked(target)
        return found !== undefined && (yield* answers(target, found.url)) ? found.url : undefined
      }).pipe(Effect.orElseSucceed(() => undefined)),
    present: (target) => Effect.map(looked(target), (found) => found !== undefined),
    wake: (target) =>
      Effect.gen(function* () {
        const far = yield* ask(target)
        const { found } = yield* far.look({ hive: target.id })
        const { url } = found ?? (yield* far.start({ hive: target.id }))
        if (yield* answers(target, url)) return { url, woken: found === undefined }
        return yield* rbeeError("CONNECTION_TIMEOUT", `hive ${target.id} runs and does not answer`)
      }),
    kill: (target) => Effect.flatMap(ask(target), (far) => Effect.asVoid(far.end({ hive: target.id, graceMs }))),
    reachable: ({ id }) => {
      const machine = machineOf(id)
      if (machine === undefined) return Effect.succeed(false)
      const far = network.connect(process, urlOf(machine), api, { timeoutMs: thereMs })
      return Effect.isSuccess(Effect.timeout(far.there({}), thereMs))
    },
    letGo: () => Effect.void
  }
}
