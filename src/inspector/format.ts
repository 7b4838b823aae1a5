/** How states and times are written on the page. */
import { type ActorState, wordOf } from "./model.ts"
import { isObject } from "../machines/formats/json/is-object.ts"
import { duration } from "../web/kit/amounts.ts"

const pad = (value: number, length = 2): string => String(value).padStart(length, "0")
export const clock = (at: number): string => {
  const date = new Date(at)
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`
}

/** `healthy › idle`; regions of a parallel state side by side. */
export const stateText = (value: unknown): string => {
  if (typeof value === "string") return value
  if (!isObject(value)) return ""
  return Object.entries(value)
    .map(([key, inner]) => {
      const text = stateText(inner)
      return text === "" ? key : `${key} › ${text}`
    })
    .join(" + ")
}

/** The same in a few words: of a parallel state the first region, of a deep one the two innermost words. */
export const briefly = (value: unknown): string =>
  (stateText(value).split(" + ")[0] ?? "").split(" › ").slice(-2).join(" › ")

/** Ids of all states that a value is in, the root's included. */
export const activeIds = (value: unknown, path = ""): ReadonlyArray<string> => {
  const under = (key: string) => (path === "" ? key : `${path}.${key}`)
  if (typeof value === "string") return [path, under(value)]
  if (!isObject(value)) return [path]
  return [path, ...Object.entries(value).flatMap(([key, inner]) => activeIds(inner, under(key)))]
}

const lifecycle = ["failed", "degraded", "stopping", "stopped", "loading", "waking", "healthy", "cold"]

/** The lifecycle word that an actor shows: it decides the colour. */
export const lifeOf = ({ gone, machine, snapshot }: ActorState): string => {
  if (gone !== undefined) return "gone"
  if (machine === undefined) return "supervisor"
  const tags = snapshot?.tags ?? []
  return lifecycle.find((word) => tags.includes(word)) ?? lifeOfWord(wordOf(snapshot?.value))
}

const jobLife: Readonly<Record<string, string>> = {
  queued: "cold",
  placing: "waking",
  provisioning: "loading",
  starting: "loading",
  streaming: "healthy",
  degraded: "degraded",
  done: "done",
  failed: "failed",
  cancelled: "stopped",
  idle: "healthy",
  busy: "healthy",
  draining: "stopping"
}
export const lifeOfWord = (word: string): string => jobLife[word] ?? (lifecycle.includes(word) ? word : "other")

/** The last part of an event's machine-made type. */
export const eventText = (type: string): string => {
  const after = /^xstate\.after\.([^.]+)\./.exec(type)
  if (after?.[1] !== undefined)
    return /^\d+$/.test(after[1]) ? `after ${duration(Number(after[1]))}` : `after ${after[1]}`
  const settled = /^xstate\.(done|error)\.actor\.(?:\d+\.)?(.+)$/.exec(type)
  if (settled !== null) return `${settled[1] === "done" ? "done" : "failed"}(${settled[2] ?? ""})`
  return type
}

export const json = (value: unknown): string => JSON.stringify(value, null, 2) ?? ""
