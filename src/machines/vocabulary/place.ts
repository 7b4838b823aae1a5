/** Where a remote hive is, as its operator said it: what `ssh` resolves, and what is ours. No secret is in it. */
import * as Schema from "effect/Schema"
import { HiveId } from "./ids.ts"

/** A host name, an address or an alias of `~/.ssh/config`; never an option of ssh, never two words. */
const HostName = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9_][A-Za-z0-9._:%-]{0,252}$/, { message: () => "a host name, an address or an ssh alias" })
)
const UserName = Schema.String.pipe(
  Schema.pattern(/^[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}$/, { message: () => "a user name" })
)
/** An absolute path, without control characters. */
const Path = Schema.String.pipe(
  // oxlint-disable-next-line no-control-regex -- they are what is refused
  Schema.pattern(/^\/[^\u0000-\u001f\u007f]{1,1023}$/, { message: () => "an absolute path" })
)
const Port = Schema.Int.pipe(Schema.between(1, 65_535))

export const SshPlace = Schema.Struct({
  host: HostName,
  user: Schema.optional(UserName),
  port: Schema.optional(Port),
  /** path of a private key on the queen's machine */
  identity: Schema.optional(Path),
  /** where its hive listens, on that machine's loopback */
  hive_port: Port,
  /** its hive listens on the address at which ssh reaches the machine, and HTTP goes there without a tunnel */
  direct: Schema.optional(Schema.Boolean),
  /** path of Node there, where it is not found by itself */
  node: Schema.optional(Path)
})
export type SshPlace = typeof SshPlace.Type

const MacAddress = Schema.String.pipe(
  Schema.pattern(/^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$/, { message: () => "a MAC address, as aa:bb:cc:dd:ee:ff" })
)
const IPv4 = Schema.String.pipe(
  Schema.pattern(/^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/, {
    message: () => "an address of IPv4"
  })
)

/** How a hive's machine is woken, and whether it is put to sleep. */
export const Power = Schema.Struct({
  /** of its network card, which hears while the machine sleeps */
  mac: MacAddress,
  /** whom the packet goes to; absent: everybody in each network of the queen's machine */
  broadcast: Schema.optional(IPv4),
  /** idle so long, seconds, it is put to sleep; absent: never by us */
  sleep_after_s: Schema.optional(Schema.Int.pipe(Schema.between(1, 2_000_000)))
})
export type Power = typeof Power.Type

/** How something of a hive's machine is reached from the queen's. */
export interface FarUrl {
  readonly hive: HiveId
  readonly port: number
  /** of the network, `[…]` where it is of IPv6; absent: through the tunnel, to the loopback of that machine */
  readonly address?: string
}

/**
 * `http+ssh://gpu-box:8600`: port 8600 of the loopback of the hive gpu-box, through its tunnel.
 * `http+direct://gpu-box@10.0.0.7:8600`: that port of that address, with the token of the hive gpu-box.
 */
export const farUrl = ({ address, hive, port }: FarUrl): string =>
  address === undefined ? `http+ssh://${hive}:${port}` : `http+direct://${hive}@${address}:${port}`

const isHiveId = Schema.is(HiveId)

/** Undefined for any other url. */
export const readFarUrl = (url: string): FarUrl | undefined => {
  const [, tunnelled, direct, address, port] =
    /^http\+(?:ssh:\/\/([A-Za-z0-9._-]+)|direct:\/\/([A-Za-z0-9._-]+)@([0-9.]+|\[[0-9A-Fa-f:.]+\])):(\d{1,5})$/.exec(
      url
    ) ?? []
  const hive = tunnelled ?? direct
  if (!isHiveId(hive)) return undefined
  return { hive, port: Number(port), ...(address === undefined ? {} : { address }) }
}

/**
 * A hive that an operator invited from `http://ADDRESS:PORT`: an address, never a name, which somebody else may resolve.
 * Undefined: it is none.
 */
export const invitedAt = (hive: HiveId, url: string): FarUrl | undefined =>
  readFarUrl(url.replace(/^http:\/\/(.*?)\/?$/, `http+direct://${hive}@$1`))

/** Where what calls itself `url` on the hive's machine is reached: as the hive itself is. */
export const reachedLike = (hiveUrl: string | undefined, url: string): string => {
  const far = hiveUrl === undefined ? undefined : readFarUrl(hiveUrl)
  const [, port] = /:(\d{1,5})$/.exec(url) ?? []
  return far === undefined || port === undefined ? url : farUrl({ ...far, port: Number(port) })
}
