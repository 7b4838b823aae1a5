/** What every engine refuses before it decodes anything. */
import { rbeeError, type RbeeError } from "../../machines/errors.ts"
import { chooseSlot, type Slot } from "./slots.ts"

/** The prompt must be there and leave room for at least one token. */
export const checkFits = (prompt: ReadonlyArray<number>, context: number): RbeeError<"INVALID_REQUEST"> | undefined => {
  const details = { prompt_tokens: prompt.length, context }
  if (prompt.length === 0) return rbeeError("INVALID_REQUEST", "the prompt is empty", "Say something", details)
  if (prompt.length < context) return undefined
  return rbeeError(
    "INVALID_REQUEST",
    `the prompt of ${prompt.length} tokens leaves no room for an answer in the context of ${context} tokens`,
    "Shorten the prompt, or use a model with a longer context",
    details
  )
}

/** The free slot for these tokens, or ALL_SLOTS_BUSY. */
export const takeSlot = (
  slots: ReadonlyArray<Slot>,
  tokens: ReadonlyArray<number>
): { readonly slot: Slot; readonly prefix: number } | RbeeError<"ALL_SLOTS_BUSY"> => {
  const chosen = chooseSlot(slots, tokens)
  if (chosen === undefined) {
    const details = { slots: slots.length }
    return rbeeError("ALL_SLOTS_BUSY", `all ${slots.length} slots are busy`, "Wait for an answer to end", details)
  }
  chosen.slot.used = 1 + Math.max(...slots.map((slot) => slot.used))
  return chosen
}
