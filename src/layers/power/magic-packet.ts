/** Wake-on-LAN: a packet to everybody in the network, which one card knows for its own. */
import { createSocket } from "node:dgram"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Power } from "../../machines/vocabulary/place.ts"
import { ownIPv4 } from "../lan/interfaces.ts"
import { Wake } from "./index.ts"

/** "discard": nobody listens there, and switches pass it on; cards look at the bytes alone */
const port = 9

/** Six bytes of ones, and sixteen times the card's address. */
export const packetFor = (mac: string): Buffer => {
  const address = Buffer.from(mac.replaceAll(/[:-]/g, ""), "hex")
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array.from({ length: 16 }, () => address)])
}

const bytesOf = (address: string): ReadonlyArray<number> => address.split(".").map(Number)

/** The address of everybody in an interface's network. */
export const broadcastOf = (address: string, netmask: string): string => {
  const mask = bytesOf(netmask)
  return bytesOf(address)
    .map((byte, at) => byte | (~(mask[at] ?? 0) & 255))
    .join(".")
}

/** Of each network: what goes to 255.255.255.255 takes one way alone, which need not be the right one. */
const everybody = (): ReadonlyArray<string> => ownIPv4().map(({ address, netmask }) => broadcastOf(address, netmask))

const call = ({ broadcast, mac }: Power): Effect.Effect<void> =>
  Effect.async((resume) => {
    const socket = createSocket("udp4")
    let isDone = false
    const done = () => {
      if (isDone) return
      isDone = true
      socket.close()
      resume(Effect.void)
    }
    // also after it is done: what nobody hears ends the process
    socket.on("error", done)
    socket.bind(0, () => {
      socket.setBroadcast(true)
      const packet = packetFor(mac)
      const to = broadcast === undefined ? everybody() : [broadcast]
      let left = to.length
      if (left === 0) return done()
      // a network that takes none is passed over
      for (const address of to) socket.send(packet, port, address, () => --left === 0 && done())
    })
  })

export const layerMagicPacket: Layer.Layer<Wake> = Layer.succeed(Wake, { call })
