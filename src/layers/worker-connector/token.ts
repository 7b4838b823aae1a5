import { createHmac } from "node:crypto"

/** A worker's own token: whoever has its hive's knows it, and it tells nothing of that one, nor of another worker's. */
export const workerToken = (hives: string | undefined, instance: string): string | undefined =>
  hives === undefined ? undefined : createHmac("sha256", hives).update(`worker ${instance}`).digest("base64url")

/** The same for every call: made anew when the hive's own has changed. */
export const workerTokenNow = (hives: () => string | undefined, instance: string): (() => string | undefined) => {
  let of: string | undefined
  let made: string | undefined
  return () => {
    const now = hives()
    if (now !== of) {
      of = now
      made = workerToken(now, instance)
    }
    return made
  }
}
