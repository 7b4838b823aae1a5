/** A machine as it is typed into the form, and what of it is to be told to the queen. */
import type { Wanted } from "./adding.ts"

/** Texts as they are typed; empty: not said. */
export interface TypedPlace {
  readonly id: string
  readonly host: string
  readonly user: string
  readonly port: string
  readonly identity: string
  readonly node: string
  readonly hive_port: string
  readonly mac: string
  readonly sleepMinutes: string
  readonly isDirect: boolean
}

export const emptyPlace: TypedPlace = {
  id: "",
  host: "",
  user: "",
  port: "",
  identity: "",
  node: "",
  hive_port: "",
  mac: "",
  sleepMinutes: "",
  isDirect: false
}

/** beside the queen's usual one, for a machine of its own */
const usualPort = 8600

const orElse = (text: string, other: string): string => (text.trim() === "" ? other : text.trim())

export const wantedOf = (typed: TypedPlace): Wanted => {
  const said = (["user", "identity", "node"] as const).flatMap((name) =>
    typed[name].trim() === "" ? [] : [[name, typed[name].trim()] as const]
  )
  const sleep = typed.sleepMinutes.trim() === "" ? {} : { sleep_after_s: 60 * Number(typed.sleepMinutes) }
  return {
    ssh: {
      host: orElse(typed.host, typed.id.trim()),
      hive_port: Number(orElse(typed.hive_port, String(usualPort))),
      ...Object.fromEntries(said),
      ...(typed.port.trim() === "" ? {} : { port: Number(typed.port) }),
      ...(typed.isDirect ? { direct: true as const } : {})
    },
    // who says when it sleeps and not how it is woken is told so by the queen
    ...(typed.mac.trim() === "" && typed.sleepMinutes.trim() === ""
      ? {}
      : { power: { mac: typed.mac.trim(), ...sleep } })
  }
}
