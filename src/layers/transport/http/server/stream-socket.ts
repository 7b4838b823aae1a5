/** HTTP over any stream: a channel of an SSH connection is one. */
import type { Duplex } from "node:stream"

/** What Node's HTTP expects of a socket and a channel has not. */
export const asSocket = (stream: Duplex): Duplex => {
  const none = () => stream
  return Object.assign(stream, {
    setKeepAlive: none,
    setNoDelay: none,
    setTimeout: none,
    ref: none,
    unref: none,
    destroySoon: () => stream.destroy()
  })
}
