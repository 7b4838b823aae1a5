/** What there is of SSH on this machine, without connecting anywhere. */
import { execFile } from "node:child_process"
import { connect } from "node:net"
import * as Effect from "effect/Effect"
import type { HostFacts, SshFacts } from "../../machines/doctor/ssh.ts"
import type { SshPlace } from "../../machines/vocabulary/place.ts"
import { toolEnvironment } from "../process/environment.ts"
import { isKnownHost } from "./host-keys.ts"
import { keysInOrder } from "./identities.ts"
import { resolve } from "./resolve.ts"

const toolMs = 5000
const agentMs = 1000

/** "OpenSSH_9.2p1" */
export const sshVersion = (): Promise<string | undefined> =>
  new Promise((resolve) => {
    execFile("ssh", ["-V"], { timeout: toolMs, env: toolEnvironment() }, (error, stdout, stderr) =>
      resolve(error === null ? (/^\S+?(?=[\s,])/.exec(stderr + stdout)?.[0] ?? "ssh") : undefined)
    )
  })

export const agentState = (socket = process.env["SSH_AUTH_SOCK"]): Promise<SshFacts["agent"]> =>
  new Promise((resolve) => {
    if (socket === undefined || socket === "") return resolve("none")
    const call = connect(socket)
    const settle = (state: SshFacts["agent"]) => {
      clearTimeout(limit)
      call.destroy()
      resolve(state)
    }
    const limit = setTimeout(() => settle("dead"), agentMs)
    call.once("connect", () => settle("answers"))
    call.once("error", () => settle("dead"))
  })

/** @param config the ssh configuration instead of the user's own */
export const hostFacts = (hive: string, place: SshPlace, config: string | undefined): Effect.Effect<HostFacts> =>
  Effect.gen(function* () {
    const at = yield* resolve(place, config)
    const { isKnown, name } = yield* isKnownHost(at)
    yield* keysInOrder(at, place.identity)
    return { hive, host: name, isKnown: isKnown || at.acceptNew, trouble: undefined }
  }).pipe(Effect.catchAll((trouble) => Effect.succeed({ hive, host: place.host, isKnown: false, trouble })))
