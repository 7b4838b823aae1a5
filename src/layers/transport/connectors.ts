/** One client per peer, so that a peer has one pool of connections. */
import type { Api, Handlers } from "../../protocol/endpoint.ts"

/** More peers than this are not kept: workers come and go on new ports. */
const maxClients = 512

/** `make` for each url, and who is there, once; the oldest client is forgotten when there are too many (its idle connections end). */
export const cachedByUrl = <A extends Api, Rest extends ReadonlyArray<string | undefined>>(
  make: (url: string, ...rest: Rest) => Handlers<A>
): ((url: string, ...rest: Rest) => Handlers<A>) => {
  const clients = new Map<string, Handlers<A>>()
  return (url, ...rest) => {
    const key = [url, ...rest].join(" ")
    const known = clients.get(key)
    if (known !== undefined) return known
    const [oldest] = clients.keys()
    if (clients.size >= maxClients && oldest !== undefined) clients.delete(oldest)
    const client = make(url, ...rest)
    clients.set(key, client)
    return client
  }
}
