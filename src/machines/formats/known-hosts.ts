/**
 * Whether a server's host key is the one that is known, as OpenSSH judges its known_hosts files (sshd(8), "SSH_KNOWN_HOSTS
 * FILE FORMAT"): several names and patterns a line, negation, `[host]:port`, hashed names, several key types, markers.
 */
export interface KnownHost {
  readonly marker: "" | "@revoked" | "@cert-authority"
  /** the first field as it stands: names and patterns with commas, or one hashed name */
  readonly names: string
  readonly type: string
  /** base64 of the whole key */
  readonly key: string
}

export interface HostKey {
  /** "ssh-ed25519", … */
  readonly type: string
  /** base64 of the whole key */
  readonly key: string
}

export type HostVerdict =
  | { readonly kind: "known" }
  /** never seen; `authority`: a certificate authority is trusted for this host, which we cannot use */
  | { readonly kind: "unknown"; readonly authority: boolean }
  /** another key is known: of this type, or only of other types */
  | { readonly kind: "changed" }
  | { readonly kind: "revoked" }

/** base64 of HMAC-SHA1 of `text` under the base64 `salt` */
export type Hash = (salt: string, text: string) => string

export const parseKnownHosts = (text: string): ReadonlyArray<KnownHost> =>
  text.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    if (line.trim() === "" || line.trim().startsWith("#")) return []
    const marked = fields[0]?.startsWith("@") === true
    const [names, type, key] = marked ? fields.slice(1) : fields
    if (names === undefined || type === undefined || key === undefined) return []
    const marker = marked ? fields[0] : ""
    // a marker that OpenSSH does not know makes the line no line
    return marker === "" || marker === "@revoked" || marker === "@cert-authority" ? [{ marker, names, type, key }] : []
  })

/** What a host is looked up by: its name, with the port where that is not 22. Names are compared in lower case. */
export const lookupName = (host: string, port: number): string =>
  port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`

const escaped = (text: string): string => text.replace(/[.+^${}()|[\]\\]/g, "\\$&")
const matchesPattern = (pattern: string, name: string): boolean =>
  new RegExp(`^${escaped(pattern.toLowerCase()).replaceAll("*", ".*").replaceAll("?", ".")}$`).test(name)

export const matchesHost = ({ names }: Pick<KnownHost, "names">, name: string, hash: Hash): boolean => {
  if (names.startsWith("|")) {
    const [, version, salt, wanted] = names.split("|")
    return version === "1" && salt !== undefined && wanted !== undefined && hash(salt, name) === wanted
  }
  let found = false
  for (const pattern of names.split(",")) {
    if (!pattern.startsWith("!")) found = found || matchesPattern(pattern, name)
    // a negated match ends it, whatever else the line says
    else if (matchesPattern(pattern.slice(1), name)) return false
  }
  return found
}

/** Key types that are known for this host: asked of the server first, so that a key that is known can be shown. */
export const knownTypes = (hosts: ReadonlyArray<KnownHost>, name: string, hash: Hash): ReadonlyArray<string> => [
  ...new Set(hosts.filter((host) => host.marker === "" && matchesHost(host, name, hash)).map(({ type }) => type))
]

export const judgeHostKey = (
  hosts: ReadonlyArray<KnownHost>,
  name: string,
  shown: HostKey,
  hash: Hash
): HostVerdict => {
  const ours = hosts.filter((host) => matchesHost(host, name, hash))
  if (ours.some(({ marker, key }) => marker === "@revoked" && key === shown.key)) return { kind: "revoked" }
  const plain = ours.filter(({ marker }) => marker === "")
  if (plain.some(({ type, key }) => type === shown.type && key === shown.key)) return { kind: "known" }
  // A key of a type that was never seen, from a host whose other keys are known, is what an impostor would show too.
  if (plain.length > 0) return { kind: "changed" }
  return { kind: "unknown", authority: ours.some(({ marker }) => marker === "@cert-authority") }
}

/** The line that makes this key known. */
export const knownHostLine = (name: string, { type, key }: HostKey): string => `${name} ${type} ${key}\n`

/** Names and addresses of one line that can be read: patterns are none, and of a hashed one there are none. */
export interface ReadableHost {
  readonly names: ReadonlyArray<string>
  readonly port: number
}

/** Each of the machines that were seen, once; how many lines are hashed, so that nobody can tell of whom they are. */
export const readableHosts = (
  hosts: ReadonlyArray<KnownHost>
): { readonly hosts: ReadonlyArray<ReadableHost>; readonly hashed: number } => {
  const plain = hosts.filter(({ marker }) => marker === "")
  const readable = new Map<string, ReadableHost>()
  for (const { names } of plain.filter((one) => !one.names.startsWith("|"))) {
    const split = names.split(",").flatMap((name) => {
      const [, bracketed, port] = /^\[(.+)\]:(\d+)$/.exec(name) ?? []
      return /[*?!]/.test(name) ? [] : [{ name: bracketed ?? name, port: Number(port ?? 22) }]
    })
    for (const port of new Set(split.map((one) => one.port))) {
      const own = split.filter((one) => one.port === port).map(({ name }) => name)
      readable.set(`${port} ${own.join(",")}`, { names: own, port })
    }
  }
  // of one machine there is a line for each type of key
  const hashed = new Set(plain.filter(({ names }) => names.startsWith("|")).map(({ names }) => names)).size
  return { hosts: [...readable.values()], hashed }
}
