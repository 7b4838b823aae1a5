/** Where a remote hive is, as its operator said it: what `ssh` resolves, and what is ours. No secret is in it. */
import * as Schema from "effect/Schema"

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
  /** path of Node there, where it is not found by itself */
  node: Schema.optional(Path)
})
export type SshPlace = typeof SshPlace.Type

const scheme = "http+ssh:"

/** `http+ssh://gpu-box:8600`: port 8600 of the loopback of the hive gpu-box, through its tunnel. */
export const tunnelUrl = (hive: string, port: number): string => `${scheme}//${hive}:${port}`

/** The hive and the port behind such a url; undefined for any other url. */
export const readTunnelUrl = (url: string): { readonly hive: string; readonly port: number } | undefined => {
  const [, hive, port] = /^http\+ssh:\/\/([A-Za-z0-9._-]+):(\d{1,5})$/.exec(url) ?? []
  return hive === undefined ? undefined : { hive, port: Number(port) }
}

/** Where what calls itself `url` on the hive's machine is reached: as the hive itself is. */
export const reachedLike = (hiveUrl: string | undefined, url: string): string => {
  const tunnel = hiveUrl === undefined ? undefined : readTunnelUrl(hiveUrl)
  const [, port] = /:(\d{1,5})$/.exec(url) ?? []
  return tunnel === undefined || port === undefined ? url : tunnelUrl(tunnel.hive, Number(port))
}
