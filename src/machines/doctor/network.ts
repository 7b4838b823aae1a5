/** The hub that models come from, and whether clocks agree. */
import { type Finding, ok, type Trouble, warn, wrong } from "./finding.ts"

export interface HubFacts {
  readonly endpoint: string
  /** by HF_HUB_OFFLINE */
  readonly isOffline: boolean
  readonly hasToken: boolean
  /** undefined: it was not asked, or did not answer */
  readonly status: number | undefined
  readonly trouble: Trouble | undefined
}

export const hubFinding = ({ endpoint, hasToken, isOffline, status, trouble }: HubFacts): Finding => {
  if (isOffline) return ok("hub", `${endpoint} is not asked: HF_HUB_OFFLINE is set`)
  if (trouble !== undefined) return warn("hub", trouble.what, trouble.todo)
  if (hasToken && status === 401)
    return warn("hub", `${endpoint} does not know your token`, "Make another one, for HF_TOKEN or `hf auth login`")
  return status !== undefined && status >= 500
    ? warn("hub", `${endpoint} answers with ${status}`, "Try again later; models that are here work without it")
    : ok("hub", `${endpoint} answers`)
}

export interface ClockFacts {
  /** whom it was compared with */
  readonly with: string
  /** milliseconds by which their clock is ahead of ours */
  readonly aheadMs: number
}

/** milliseconds: what nobody notices, and from where on certificates and ages of jobs are wrong */
const limits = { little: 5000, much: 300_000 }

export const clockFinding = ({ aheadMs, with: whom }: ClockFacts): Finding => {
  const off = Math.abs(aheadMs)
  if (off <= limits.little) return ok("clock", `agrees with ${whom}`)
  const seen = `${whom} is ${Math.round(off / 1000)} s ${aheadMs > 0 ? "ahead of" : "behind"} this machine`
  return (off > limits.much ? wrong : warn)("clock", seen, "Have both ask a time server (timedatectl set-ntp true)")
}
