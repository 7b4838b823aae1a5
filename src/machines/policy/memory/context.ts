/** How many tokens a slot gets, and what a prompt does that is too long for it. */
import { type RbeeError, rbeeError } from "../../errors.ts"
import type { InferDone } from "../../vocabulary/worker.ts"
import { fact } from "../../facts.ts"

/**
 * More is made for those who ask for it: the cache is cleared as it is made, so that a model of a million tokens took
 * ten seconds to say hello, and most of what it held was never used.
 */
export const defaultContext = 32_768

/** Of one that writes nothing: texts are cut into pieces for it, and what reads longer ones at once takes much for them. */
const measuredContext = 8192

/** tokens a slot where nobody asks for a number */
export const usualContext = (trainedContext: number, isMeasured = false): number =>
  Math.min(trainedContext, isMeasured ? measuredContext : defaultContext)

/**
 * A worker gives its place to one of its own model with more context at most once in so long, milliseconds: two
 * conversations that outgrow it one after the other would have everybody wait for the model to load, again and again.
 */
export const reloadMs = 60_000

/** From when on a model may be loaded anew for more context where it was at `reloadedAt`, milliseconds since 1970. */
export const mayReloadAt = (reloadedAt: number | undefined): number =>
  reloadedAt === undefined ? Number.NEGATIVE_INFINITY : reloadedAt + reloadMs

/** room for an answer of which nobody said how long it may be */
const usualAnswer = 1024
/** grown in steps of so many tokens */
const step = 1024

/** A prompt, with what is answered of it by then, and the most that worker and model can hold. */
interface Overflow {
  readonly prompt: number
  readonly context: number
  readonly trained: number
}

/** What a request needs that was too long for a worker. */
export interface Need {
  /** tokens a slot */
  readonly context: number
  readonly prompt: number
  /** tokens a slot that the worker had */
  readonly had: number
}

const overflowOf = (error: RbeeError): Overflow | undefined => {
  if (error.code !== "INVALID_REQUEST") return undefined
  const [prompt, context] = [fact(error, "prompt_tokens"), fact(error, "context")]
  const trained = fact(error, "trained_context")
  return prompt === undefined || context === undefined || trained === undefined
    ? undefined
    : { prompt, context, trained }
}

/**
 * What so many more tokens need; undefined where nothing would do. A quarter more than they need now, so that a growing
 * conversation does not load its model anew at each turn.
 */
const needOf = ({ context, prompt, trained }: Overflow, tokens: number): Need | undefined => {
  if (prompt >= trained || context >= trained) return undefined
  const wanted = 1.25 * (prompt + Math.min(usualAnswer, Math.max(1, tokens)))
  return { context: Math.min(trained, Math.ceil(wanted / step) * step), prompt, had: context }
}

/** What a request needs that a worker refused as too long. */
export const neededContext = (error: RbeeError, maxTokens = usualAnswer): Need | undefined => {
  const overflow = overflowOf(error)
  return overflow === undefined ? undefined : needOf(overflow, maxTokens)
}

/** It asked for more than the worker had in the end, which was made smaller because it did not fit. */
export const isShrunk = (need: Need, error: RbeeError): boolean => {
  const overflow = overflowOf(error)
  return overflow !== undefined && overflow.context < need.context
}

/**
 * What an answer needs that has filled its worker's context after `answered` tokens. One of which nobody said how long
 * it may be ends there once it is as long as answers are: it may be one that never ends.
 */
export const outgrownContext = (
  { outgrown, usage }: Pick<InferDone, "outgrown" | "usage">,
  answered: number,
  maxTokens = usualAnswer
): Need | undefined =>
  outgrown === undefined || answered >= maxTokens
    ? undefined
    : needOf(
        { prompt: usage.prompt_tokens + answered, context: outgrown.context, trained: outgrown.trained_context },
        maxTokens - answered
      )

/** The most that a device could give, as the refusal of a hive says; 0 where it does not. */
const mostOf = (error: RbeeError): number => fact(error, "context_max") ?? 0

/**
 * What it takes where there is no room for what it needs: less than is comfortable, as long as the prompt fits and it is
 * more than the worker had.
 */
export const lesserNeed = (need: Need, error: RbeeError): Need | undefined => {
  const most = mostOf(error)
  return most > need.had && most > need.prompt && most < need.context ? { ...need, context: most } : undefined
}

/** No device has room for what the prompt needs: the overflow again, with the most that one could give. */
export const noLonger = ({ context, had, prompt }: Need, error: RbeeError): RbeeError => {
  const [available_mb, needed_mb] = [fact(error, "available_mb"), fact(error, "needed_mb")]
  const most = Math.max(had, mostOf(error))
  return rbeeError(
    "INVALID_REQUEST",
    `the maximum context length is ${most} tokens here, and the prompt has ${prompt} tokens: it needs a context of ` +
      `${context} tokens, for which there is no room (${error.what})`,
    most > prompt
      ? `Ask for a context of ${most} tokens, or shorten the prompt`
      : "Shorten the prompt, or use a smaller model",
    { prompt_tokens: prompt, context: most, needed_context: context, needed_mb, available_mb }
  )
}

export const overflow = (said: string, context: number, amounts: Readonly<Record<string, number>>) =>
  rbeeError(
    "INVALID_REQUEST",
    // clients know an overflow by these words
    `the maximum context length is ${context} tokens, and ${said}: no room is left for an answer`,
    "Shorten the prompt, or use a model with a longer context",
    { ...amounts, context }
  )

/** More bytes than the context's tokens can stand for are refused before anybody reads them. */
export const tooManyBytes = (
  bytes: number,
  tokenBytes: number,
  context: number
): RbeeError<"INVALID_REQUEST"> | undefined => {
  const least = Math.ceil(bytes / tokenBytes)
  if (least < context) return undefined
  return overflow(
    `the prompt has ${bytes} bytes, which are at least ${least} tokens (of at most ${tokenBytes} bytes each)`,
    context,
    { prompt_tokens: least, prompt_bytes: bytes, token_bytes: tokenBytes }
  )
}
