/** Where a daemon listens, how that is written in a url, and what it says where another listens. */
import type { RbeeError } from "../errors.ts"
import { fact } from "../facts.ts"

const loopbackIp = /^(127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|::1)$/

/** `[::1]` → `::1` */
export const bare = (host: string): string => host.replace(/^\[(.*)\]$/, "$1").toLowerCase()

/** Nobody beyond this machine can be behind it: a loopback address, or `localhost`. Never a name that DNS may resolve. */
export const isLoopback = (host: string): boolean => bare(host) === "localhost" || loopbackIp.test(bare(host))

/** What browsers take for their own machine: they never ask DNS for a name below `localhost`. */
export const isLoopbackName = (host: string): boolean => isLoopback(host) || bare(host).endsWith(".localhost")

/** A host as a url has it: an address of IPv6 in brackets. */
export const hostInUrl = (host: string): string => (host.includes(":") && !host.startsWith("[") ? `[${host}]` : host)

/** Where a client reaches a server that listens on `host`: a wildcard is reached by loopback. */
export const urlOf = (host: string, port: number): string => {
  const reached = host === "0.0.0.0" ? "127.0.0.1" : bare(host) === "::" ? "::1" : host
  return `http://${hostInUrl(reached)}:${port}`
}

/** The exit code of a daemon that found its address in use (EX_TEMPFAIL): somebody was faster. */
export const addressInUse = 75

/** `details.reason` of the CONFLICT of whoever wants to listen where another does. */
export const takenReason = "EADDRINUSE"

/** How a daemon exits that failed: whoever launched it tells by it whether its address was taken. */
export const exitCodeOf = (error: RbeeError): number =>
  error.code === "CONFLICT" && fact(error, "reason") === takenReason ? addressInUse : 1
