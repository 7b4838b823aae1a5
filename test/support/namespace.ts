/** A host of our own: a network namespace with an address of its own behind a link that can be cut. Needs root. */
import { execFileSync, spawnSync } from "node:child_process"

/** words of `tc`: a device that passes so many kilobits a second */
const slowQueue = (device: string, kbit: number): ReadonlyArray<string> =>
  `qdisc replace dev ${device} root tbf rate ${kbit}kbit burst 4k latency 500ms`.split(" ")

const ip = (...args: ReadonlyArray<string>) => execFileSync("ip", [...args], { stdio: "pipe" })

/** Tried, not guessed: containers often have root without the right to make namespaces. */
export const hasNamespaces = ((): boolean => {
  const name = `rbee-try-${process.pid}`
  try {
    ip("netns", "add", name)
    ip("netns", "del", name)
    return true
  } catch {
    return false
  }
})()

/** Links can be slowed down here: the kernel has the queue for it. */
export const hasSlowLinks = ((): boolean => {
  const name = `rbee-slow-${process.pid}`
  try {
    ip("netns", "add", name)
    execFileSync("tc", ["-n", name, ...slowQueue("lo", 1000)], { stdio: "pipe" })
    return true
  } catch {
    return false
  } finally {
    spawnSync("ip", ["netns", "del", name])
  }
})()

export interface Namespace {
  readonly address: string
  /** ours, as the other side sees it */
  readonly near: string
  /** words before a command that is to run there */
  readonly prefix: ReadonlyArray<string>
  /** kilobits a second that pass, in each direction */
  readonly slow: (kbit: number) => void
  readonly cut: () => void
  readonly mend: () => void
  readonly remove: () => void
}

let made = 0

export const makeNamespace = (): Namespace => {
  // one /30 a host and process; names of devices have at most 15 characters
  const n = (process.pid * 8 + made++) % 16_000
  const name = `rbee-${n}`
  const [near, far] = [`rbn${n}`, `rbf${n}`]
  const net = `10.${200 + (n >> 12)}.${(n >> 4) & 255}`
  const base = (n & 15) * 4
  const address = `${net}.${base + 2}`
  ip("netns", "add", name)
  ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
  ip("addr", "add", `${net}.${base + 1}/30`, "dev", near)
  ip("link", "set", near, "up")
  ip("-n", name, "addr", "add", `${address}/30`, "dev", far)
  ip("-n", name, "link", "set", far, "up")
  ip("-n", name, "link", "set", "lo", "up")
  return {
    address,
    near: `${net}.${base + 1}`,
    prefix: ["ip", "netns", "exec", name],
    slow: (kbit) => {
      execFileSync("tc", [...slowQueue(near, kbit)])
      execFileSync("tc", ["-n", name, ...slowQueue(far, kbit)])
    },
    // at the far end: to us the other side falls silent, and no error of our own kernel tells
    cut: () => ip("-n", name, "link", "set", far, "down"),
    mend: () => ip("-n", name, "link", "set", far, "up"),
    remove: () => ip("netns", "del", name)
  }
}
