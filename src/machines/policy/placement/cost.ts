/**
 * What a place costs a job: the seconds until its answer is there, as far as they can be foreseen, part by part, so
 * that the part that decided can be named.
 */

export interface Cost {
  /** fetching the file, where it is not there */
  readonly fetch: number
  /** starting a worker and reading the file into memory */
  readonly load: number
  /** what unloading others will cost whoever wants them next */
  readonly evict: number
  /** reading what somebody else has read of the conversation already */
  readonly read: number
  /** decoding, among those who are on the device already */
  readonly decode: number
}

/** tokens of a usual answer */
const answerTokens = 256
/** a stream is not decoded faster than this, tokens/s, whatever the bandwidth: small models do not tell devices apart */
const fastest = 200
/** a prompt is read so much faster than an answer is decoded, at least */
const readFaster = 10
/** MB/s of a download and of a disk, while nothing better is known */
const fetchMbps = 50
const loadMbps = 1000
/** seconds that a worker's process takes before it loads */
const startSeconds = 0.5
/** bytes of a model that nobody has seen yet */
export const unknownBytes = 1e9

/** The least that a model can take: its weights and a worker's own memory. */
export const leastMb = (bytes: number): number => bytes / 1e6 + 80

/** Seconds from the start of a worker until it serves. */
export const loadSeconds = (mb: number): number => startSeconds + mb / loadMbps
export const fetchSeconds = (mb: number): number => mb / fetchMbps

/** Tokens/s that a device is expected to decode: every token reads the whole model once. */
export const expectedRate = (gbps: number, bytes: number): number => Math.min(fastest, (gbps * 1e9) / bytes)

/** Those who are on the device share its bandwidth. */
export const decodeSeconds = (tokensPerS: number, others: number): number => (answerTokens / tokensPerS) * (1 + others)

/** Seconds for so many tokens of a prompt, which are read together. */
export const readSeconds = (tokensPerS: number, tokens: number): number => tokens / (tokensPerS * readFaster)

export const secondsOf = ({ decode, evict, fetch, load, read }: Cost): number => fetch + load + evict + read + decode

/** What is said of a place that lost by a part. */
export const lostBy: Readonly<Record<keyof Cost, string>> = {
  fetch: "the model is not there and has to be fetched",
  load: "the model has to be loaded",
  evict: "another model would have to be unloaded",
  read: "the conversation would have to be read again",
  decode: "slower, or busier"
}

const shown = (seconds: number): string => seconds.toFixed(seconds < 10 ? 2 : 0)

/** The part that lost it. */
export const mainly = (loser: Cost, winner: Cost): string => {
  if (secondsOf(loser) <= secondsOf(winner)) return "as good, but the weaker device, or later by name"
  let most: keyof Cost = "fetch"
  for (const part of ["load", "evict", "read", "decode"] as const)
    if (loser[part] - winner[part] > loser[most] - winner[most]) most = part
  return lostBy[most]
}

/** "12 s expected against 1.3 s: the model is not there and has to be fetched" */
export const because = (loser: Cost, winner: Cost): string =>
  secondsOf(loser) <= secondsOf(winner)
    ? mainly(loser, winner)
    : `${shown(secondsOf(loser))} s expected against ${shown(secondsOf(winner))} s: ${mainly(loser, winner)}`
