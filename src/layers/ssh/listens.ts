/** Whether a machine's sshd is there: a connection of TCP, closed at once. */
import { connect } from "node:net"
import * as Effect from "effect/Effect"
import type { SshPlace } from "../../machines/vocabulary/place.ts"
import { type Resolved, resolve } from "./resolve.ts"

/** who is there answers at once; who wakes is asked again, and must not be waited for by a try that came too early */
const answerMs = 1000

const answers = ({ host, port }: Resolved): Effect.Effect<boolean> =>
  Effect.async<boolean>((resume) => {
    const socket = connect({ host, port })
    const settle = (isThere: boolean) => {
      socket.destroy()
      resume(Effect.succeed(isThere))
    }
    socket.once("connect", () => settle(true))
    socket.once("error", () => settle(false))
    return Effect.sync(() => void socket.destroy())
  }).pipe(Effect.timeoutTo({ duration: answerMs, onSuccess: (isThere) => isThere, onTimeout: () => false }))

/** Behind another host nobody can tell so easily: it is asked for, then. @param config as `ssh -F` */
export const listens = (place: SshPlace, config: string | undefined): Effect.Effect<boolean> =>
  resolve(place, config).pipe(
    Effect.flatMap((at) => (at.jumps.length > 0 ? Effect.succeed(true) : answers(at))),
    Effect.orElseSucceed(() => false)
  )
