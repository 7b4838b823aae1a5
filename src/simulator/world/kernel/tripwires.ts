/**
 * While the kernel pumps nothing may reach for the real world. Time and chance are replaced, and reaching for them is a
 * leak, except from the places inside Effect that only label things (a fiber's id and its lifetime, a span's id, the
 * hash of an object). They get a stream of their own, so that what is cached between runs does not shift the seed's.
 * Every asynchronous resource of Node (promise, timer, microtask, file or socket request) is a leak where it is born.
 */
import { createHook } from "node:async_hooks"
import type { randomUUID } from "node:crypto"
import { globalValue } from "effect/GlobalValue"
import * as MutableRef from "effect/MutableRef"

export interface World {
  readonly wallMs: () => number
  readonly monotonicMs: () => number
  readonly random: () => number
  readonly leaked: (what: string, site: string) => void
}

/** The functions of Effect that may ask, by name: a bundle keeps no paths. */
const known = /^(unsafeMake\d*|make\d*|_?FiberRuntime\d*|reportExitValue|randomHexString\d*|random\d*)$/

const longest = 2 ** 31 - 1

/**
 * How many fiber ids Effect has made. Each asks for the time once, right after it was counted: such a question is
 * known without a look at the stack, which would be a tenth of a run. Were the counter another, each is looked at.
 */
const fiberIds = globalValue(Symbol.for("effect/Fiber/Id/_fiberCounter"), () => MutableRef.make(0))

const frames = (skip: Function, depth = 16): ReadonlyArray<NodeJS.CallSite> => {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: unknown } = {}
  try {
    Error.stackTraceLimit = depth
    Error.prepareStackTrace = (_, sites) => sites
    Error.captureStackTrace(holder, skip)
    return Array.isArray(holder.stack) ? holder.stack : []
  } finally {
    Error.prepareStackTrace = prepareStackTrace
    Error.stackTraceLimit = stackTraceLimit
  }
}

const isOurs = (site: NodeJS.CallSite): boolean => !(site.getFileName() ?? "node:").startsWith("node:")

const describe = (sites: ReadonlyArray<NodeJS.CallSite>): string =>
  sites
    .map((site) => {
      const file = (site.getFileName() ?? "").replace(/^.*\/(?=(node_modules|src|test|dist)\/)/, "")
      return `${site.getFunctionName() ?? "anonymous"} (${file}:${site.getLineNumber() ?? 0})`
    })
    .join(" < ")

const isKnown = (sites: ReadonlyArray<NodeJS.CallSite>): boolean => {
  const [site] = sites
  if (site === undefined) return false
  const file = site.getFileName() ?? ""
  if (/\/(src|test)\//.test(file) && !file.includes("node_modules")) return false
  return known.test((site.getFunctionName() ?? "").replace(/^.*\./, ""))
}

/** Arms the wires; the returned function disarms them. Runs do not nest. */
export const armed = (world: World): (() => void) => {
  const crypto: { randomUUID: typeof randomUUID } = globalThis.crypto
  const saved = {
    now: Date.now,
    random: Math.random,
    performance: performance.now,
    uuid: crypto.randomUUID,
    interval: setInterval
  }
  /** `entry` is what was called: who called it is looked at. */
  const guard = (what: string, entry: () => number): void => {
    // one frame is enough to know it
    if (!isKnown(frames(entry, 1))) world.leaked(what, describe(frames(entry)))
  }
  const guarded = (what: string, value: () => number) => {
    const replaced = (): number => {
      guard(what, replaced)
      return value()
    }
    return replaced
  }
  let counted = MutableRef.get(fiberIds)
  const replacedNow = (): number => {
    const made = MutableRef.get(fiberIds)
    if (made === counted) guard("Date.now", replacedNow)
    counted = made
    return world.wallMs()
  }
  Date.now = replacedNow
  Math.random = guarded("Math.random", world.random)
  performance.now = guarded("performance.now", world.monotonicMs)
  crypto.randomUUID = () => {
    world.leaked("crypto.randomUUID", describe(frames(crypto.randomUUID)))
    return "00000000-0000-4000-8000-000000000000"
  }
  // `Effect.never` holds the event loop open with the longest interval there is; here nobody waits for it
  const replacedInterval = (_run: unknown, ms?: number): number => {
    if (ms !== longest) world.leaked("setInterval", describe(frames(replacedInterval)))
    return 0
  }
  // a number where Node has an object: Effect gives it to clearInterval and to nobody else
  globalThis.setInterval = replacedInterval as never
  // anything thrown in there would end the process
  const init = (_id: number, type: string): void => world.leaked(type, describe(frames(init).filter(isOurs)))
  const hook = createHook({ init })
  hook.enable()
  return () => {
    hook.disable()
    Date.now = saved.now
    Math.random = saved.random
    performance.now = saved.performance
    crypto.randomUUID = saved.uuid
    globalThis.setInterval = saved.interval
  }
}
