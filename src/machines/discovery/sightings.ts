/** Sightings of machines: which of them are one machine, whether it is a hive already, and what adds it. */
import * as Schema from "effect/Schema"
import { isLoopback } from "../vocabulary/address.ts"
import { HiveId } from "../vocabulary/ids.ts"
import type { SshPlace } from "../vocabulary/place.ts"
import type { Machine, Seen } from "./discovered.ts"

export interface Sighting {
  readonly seen: Seen
  /** what it is called there, the best first; of the ssh configuration the alias */
  readonly names: ReadonlyArray<string>
  readonly address?: string | undefined
  /** of its sshd */
  readonly port?: number | undefined
  readonly mac?: string | undefined
  /** why it cannot be added as it is */
  readonly problem?: string | undefined
}

export interface Known {
  readonly id: HiveId
  readonly ssh: SshPlace | undefined
}

/** The name and the addresses of this machine. */
export interface Self {
  readonly name: string
  readonly addresses: ReadonlyArray<string>
}

const usualPort = 22
/** Who serves repositories to everybody is in most people's known hosts, and is no machine of theirs. */
const forges =
  /^(.+\.)?(github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|sr\.ht|dev\.azure\.com|visualstudio\.com|hf\.co|huggingface\.co)$/

/** The same however it was written. */
const plain = (name: string): string => name.toLowerCase().replace(/\.(local)?$/, "")
const isAddress = (name: string): boolean => /^[\d.]+$/.test(name) || name.includes(":")

const hostsOf = ({ address, names }: Sighting): ReadonlyArray<string> =>
  [...names, ...(address === undefined ? [] : [address])].map(plain)
const keysOf = (one: Sighting): ReadonlyArray<string> => hostsOf(one).map((host) => `${host} ${one.port ?? usualPort}`)

/** A container or a virtual machine may be behind another port of this machine. */
const isSelf = (one: Sighting, { addresses, name }: Self): boolean =>
  (one.port ?? usualPort) === usualPort &&
  hostsOf(one).some((host) => isLoopback(host) || host === plain(name) || addresses.includes(host))

type Group = ReadonlyArray<Sighting>

/** Whoever shares a name or an address, and the port, is one: in the order in which they were seen. */
const grouped = (sightings: ReadonlyArray<Sighting>): ReadonlyArray<Group> => {
  let groups: Array<{ readonly keys: ReadonlySet<string>; readonly group: Group }> = []
  for (const one of sightings) {
    const keys = keysOf(one)
    const same = groups.filter((other) => keys.some((key) => other.keys.has(key)))
    const merged = {
      keys: new Set([...same.flatMap((other) => [...other.keys]), ...keys]),
      group: [...same.flatMap(({ group }) => group), one]
    }
    const [first] = same
    if (first === undefined) groups.push(merged)
    else groups = groups.flatMap((other) => (other === first ? [merged] : same.includes(other) ? [] : [other]))
  }
  return groups.map(({ group }) => group)
}

const isOf = (group: Group, { id, ssh }: Known): boolean => {
  if (ssh === undefined) return false
  const at = `${plain(ssh.host)} ${ssh.port ?? usualPort}`
  return group.some(
    (one) =>
      keysOf(one).includes(at) ||
      // an alias has its port in the configuration
      (one.seen === "ssh configuration" && (one.names.includes(ssh.host) || one.names.includes(id)))
  )
}

const isHiveId = Schema.is(HiveId)

/** A name that a hive may have, made of one that may have anything in it. */
const hiveName = (name: string): string =>
  name
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, 64)

/** What the configuration knows by its alias needs no more words; a name that was used once is resolved again. */
const adding = (
  group: Group,
  name: string,
  address: string | undefined,
  port: number | undefined
): string | undefined => {
  if (group.some(({ problem }) => problem !== undefined)) return undefined
  const [id, isConfigured] = [hiveName(name), group[0]?.seen === "ssh configuration"]
  if (!isHiveId(id)) return undefined
  const isResolved =
    isConfigured || (id === name && group.some(({ names, seen }) => seen === "known hosts" && names.includes(name)))
  const host = isResolved ? "" : ` --host ${address ?? name}`
  const at = isConfigured || port === undefined ? "" : ` --port ${port}`
  return `rbee hives add ${id}${host}${at}`
}

const rank: Readonly<Record<Seen, number>> = { "ssh configuration": 0, LAN: 1, "known hosts": 2 }

const machineOf = (sightings: Group, hives: ReadonlyArray<Known>): Machine => {
  const group = sightings.toSorted((a, b) => rank[a.seen] - rank[b.seen])
  const names = group.flatMap((one) => one.names)
  const name = names.find((one) => !isAddress(one)) ?? names[0] ?? ""
  const address = group.find((one) => one.address !== undefined)?.address ?? names.find(isAddress)
  const port = group.map((one) => one.port).find((one) => one !== undefined && one !== usualPort)
  const mac = group.find((one) => one.mac !== undefined)?.mac
  const problem = group.find((one) => one.problem !== undefined)?.problem
  const hive = hives.find((one) => isOf(group, one))?.id
  const add = hive === undefined ? adding(group, name, address, port) : undefined
  return {
    name,
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port }),
    ...(mac === undefined ? {} : { mac }),
    found_in: [...new Set(group.map(({ seen }) => seen))],
    ...(hive === undefined ? {} : { hive }),
    ...(problem === undefined ? {} : { problem }),
    ...(add === undefined ? {} : { add })
  }
}

/** This machine and those that serve repositories alone are left out; aliases that lead to one machine are one. */
export const machinesIn = (
  sightings: ReadonlyArray<Sighting>,
  hives: ReadonlyArray<Known>,
  self: Self
): ReadonlyArray<Machine> =>
  grouped(sightings.filter((one) => !hostsOf(one).some((host) => forges.test(host)) && !isSelf(one, self))).map(
    (group) => machineOf(group, hives)
  )
