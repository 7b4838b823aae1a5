/**
 * Who announces ssh in the local network: asked of the multicast group of mDNS, and of no machine. Heard are the answers
 * to the group and to this socket; where the group's own port cannot be shared, those to this socket alone (RFC 6762, 5.1).
 */
import { createSocket, type Socket } from "node:dgram"
import * as Effect from "effect/Effect"
import { type Announced, announcedIn, questionsAfter } from "../../machines/discovery/announced.ts"
import { type Answer, answersIn, questionMessage } from "../../machines/discovery/dns.ts"
import { ownIPv4 } from "./interfaces.ts"

const group = "224.0.0.251"
const groupPort = 5353
/** Asked so often, a second apart as the standard has it: a packet may be lost, and an answer lead to another question. */
const rounds = 3
const roundMs = 1000
/** of one that answers without end no more is kept */
const mostAnswers = 5000

export interface Heard {
  readonly machines: ReadonlyArray<Announced>
  /** why nobody could be asked */
  readonly problem?: string
}

const opened = (port: number): Effect.Effect<Socket, Error> =>
  Effect.async((resume) => {
    const socket = createSocket({ type: "udp4", reuseAddr: true })
    socket.once("error", (error) => {
      socket.close()
      resume(Effect.fail(error))
    })
    socket.bind(port, () => {
      socket.removeAllListeners("error")
      // what is wrong with one packet is nothing to the others
      socket.on("error", () => {})
      resume(Effect.succeed(socket))
    })
  })

/** True: it went out. */
const ask = (socket: Socket, from: string, message: Uint8Array): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    try {
      socket.setMulticastInterface(from)
      socket.send(message, groupPort, group, (error) => resume(Effect.succeed(error === null)))
    } catch {
      resume(Effect.succeed(false))
    }
  })

const join = (socket: Socket, address: string): void => {
  try {
    socket.addMembership(group, address)
  } catch {
    // an interface without multicast
  }
}

export const announced: Effect.Effect<Heard> = Effect.gen(function* () {
  const own = ownIPv4().map(({ address }) => address)
  if (own.length === 0) return { machines: [], problem: "this machine is in no network" }
  const socket = yield* Effect.acquireRelease(
    Effect.orElse(opened(groupPort), () => opened(0)),
    (one) => Effect.sync(() => one.close())
  )
  const answers: Array<Answer> = []
  socket.on("message", (message) => {
    if (answers.length < mostAnswers) answers.push(...answersIn(message))
  })
  socket.setMulticastTTL(255)
  for (const address of own) join(socket, address)
  let isAsked = false
  for (let round = 0; round < rounds; round++) {
    const message = questionMessage(questionsAfter(answers))
    for (const address of own) isAsked = (yield* ask(socket, address, message)) || isAsked
    yield* Effect.sleep(roundMs)
  }
  const machines = announcedIn(answers)
  return isAsked ? { machines } : { machines, problem: "no network of this machine takes multicast" }
}).pipe(
  Effect.scoped,
  Effect.catchAll(({ message }) => Effect.succeed({ machines: [], problem: message }))
)
