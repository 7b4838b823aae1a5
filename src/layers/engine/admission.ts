/** What every engine refuses before it decodes anything. */
import { rbeeError, type RbeeError } from "../../machines/errors.ts"
import { overflow } from "../../machines/policy/memory/context.ts"
import { chooseSlot, lastUsed, type Slot } from "./slots.ts"

/** The prompt must be there and leave room for at least one token. */
export const checkFits = (
  promptTokens: number,
  context: number,
  /** the most that the model can hold, where a larger context may be had */
  trained = context
): RbeeError<"INVALID_REQUEST"> | undefined => {
  const details = { prompt_tokens: promptTokens, context }
  if (promptTokens === 0) return rbeeError("INVALID_REQUEST", "the prompt is empty", "Say something", details)
  return promptTokens < context
    ? undefined
    : overflow(`the prompt has ${promptTokens} tokens`, context, {
        prompt_tokens: promptTokens,
        trained_context: trained
      })
}

/** The free slot for these tokens of this account's, or ALL_SLOTS_BUSY. */
export const takeSlot = (
  slots: ReadonlyArray<Slot>,
  tokens: ReadonlyArray<number>,
  scope?: string
): { readonly slot: Slot; readonly prefix: number } | RbeeError<"ALL_SLOTS_BUSY"> => {
  const chosen = chooseSlot(slots, tokens, scope)
  if (chosen === undefined) {
    const details = { slots: slots.length }
    return rbeeError("ALL_SLOTS_BUSY", `all ${slots.length} slots are busy`, "Wait for an answer to end", details)
  }
  chosen.slot.used = lastUsed(slots) + 1
  return chosen
}
