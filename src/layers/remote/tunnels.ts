/** The tunnels of this queen, one a remote hive, and HTTP through them. */
import { Agent, type AgentOptions } from "node:http"
import type { Duplex } from "node:stream"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Exit from "effect/Exit"
import { readFarUrl, type SshPlace } from "../../machines/vocabulary/place.ts"
import type { HttpWay } from "../transport/http/client/client.ts"
import { asSocket } from "../transport/http/server/stream-socket.ts"
import { HiveKeys } from "../keys/index.ts"
import { Ssh } from "../ssh/index.ts"
import { DirectListener } from "./direct-listener.ts"
import { Tunnel } from "./tunnel.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

export class Tunnels extends Context.Tag("rbee/Tunnels")<
  Tunnels,
  {
    /** The hive's tunnel; another place is another tunnel. */
    readonly of: (hive: HiveId, place: SshPlace) => Effect.Effect<Tunnel>
    /** How a url of that scheme is reached over HTTP; undefined: it is no such url, or the hive is not known. */
    readonly way: (url: string) => HttpWay | undefined
    /** What is shown to a hive of another machine; undefined: this is no such url. */
    readonly secret: (url: string) => (() => string | undefined) | undefined
    /** Where that hive reaches this queen, and what it shows to her; undefined: it is on her machine. */
    readonly wayBack: (url: string) => { readonly url?: string; readonly secret: string } | undefined
  }
>() {}

type Opened = (stream: Duplex | undefined) => void

/** Connections through a tunnel, pooled as any; those of an earlier SSH connection are not taken for new requests. */
class TunnelAgent extends Agent {
  private readonly tunnel: () => Tunnel | undefined
  private readonly open: (tunnel: Tunnel, port: number, opened: Opened) => void
  /** channels whose end is heard of */
  private readonly heard = new WeakSet<Duplex>()

  constructor(tunnel: () => Tunnel | undefined, open: (tunnel: Tunnel, port: number, opened: Opened) => void) {
    super({ keepAlive: true, scheduling: "lifo" } satisfies AgentOptions)
    this.tunnel = tunnel
    this.open = open
  }
  override getName(options?: Parameters<Agent["getName"]>[0]): string {
    return `${super.getName(options)}:${this.tunnel()?.generation ?? 0}`
  }
  /** Nobody reads an idle channel, and one that is not read does not tell that the other side has closed it. */
  override keepSocketAlive(stream: Duplex): boolean {
    if (!this.heard.has(stream)) stream.once("end", () => stream.destroy())
    this.heard.add(stream)
    stream.resume()
    return !stream.destroyed && stream.readable
  }
  override createConnection(
    options: { readonly port?: number | string | null | undefined },
    done?: (error: Error | null, stream: Duplex) => void
  ): undefined {
    const opened: Opened = (stream) => {
      if (stream !== undefined) return done?.(null, asSocket(stream))
      // Node reads no stream where there is an error
      done?.(Object.assign(new Error("no tunnel"), { code: "EHOSTUNREACH" }), undefined as never)
    }
    const tunnel = this.tunnel()
    if (tunnel === undefined) opened(undefined)
    else this.open(tunnel, Number(options.port), opened)
  }
}

export const layerTunnels: Layer.Layer<Tunnels, never, HiveKeys | Ssh | DirectListener> = Layer.scoped(
  Tunnels,
  Effect.gen(function* () {
    const ssh = yield* Ssh
    const listener = yield* DirectListener
    const keys = yield* HiveKeys
    const scope = yield* Effect.scope
    const run = Runtime.runCallback(yield* Effect.runtime<never>())
    const tunnels = new Map<string, Tunnel>()
    const agents = new Map<string, Agent>()
    const network = new Agent({ keepAlive: true, scheduling: "lifo" })
    const agentOf = (hive: HiveId): Agent => {
      const known = agents.get(hive)
      if (known !== undefined) return known
      const agent = new TunnelAgent(
        () => tunnels.get(hive),
        (tunnel, port, opened) =>
          void run(tunnel.open(port), {
            onExit: (exit) => opened(Exit.isSuccess(exit) ? exit.value : undefined)
          })
      )
      agents.set(hive, agent)
      return agent
    }

    return {
      of: (hive, place) =>
        Effect.gen(function* () {
          const known = tunnels.get(hive)
          if (known !== undefined && JSON.stringify(known.place) === JSON.stringify(place)) return known
          if (known !== undefined) yield* known.release
          const tunnel = new Tunnel({ place, ssh, scope, toQueen: yield* listener.channel(hive) })
          tunnels.set(hive, tunnel)
          return tunnel
        }),
      way: (url) => {
        const read = readFarUrl(url)
        if (read === undefined) return undefined
        const { address, hive, port } = read
        return address === undefined
          ? { baseUrl: `http://127.0.0.1:${port}`, agent: agentOf(hive), name: `${hive}:${port}` }
          : {
              baseUrl: `http://${address}:${port}`,
              agent: network,
              name: `${hive} at ${address}:${port}`
            }
      },
      secret: (url) => {
        const read = readFarUrl(url)
        return read === undefined ? undefined : () => keys.toHive(read.hive)
      },
      wayBack: (url) => {
        const read = readFarUrl(url)
        if (read === undefined) return undefined
        const { queenUrl, socket } = tunnels.get(read.hive) ?? {}
        const her =
          (read.address === undefined ? undefined : queenUrl) ?? (socket && `unix:${socket}`) ?? keys.queenOf(read.hive)
        return { secret: keys.fromHive(read.hive), ...(her === undefined ? {} : { url: her }) }
      }
    }
  })
)
