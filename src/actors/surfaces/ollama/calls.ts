/** Calls as Ollama's clients read them: whole, their arguments an object. */
import type { AnsweredCall } from "../../../machines/vocabulary/conversation.ts"
import { isObject } from "../../../machines/formats/json/is-object.ts"
import type { OllamaCall } from "../../../machines/vocabulary/ollama/answers.ts"

export const callId = (id: string): string => `call_${id}`

/**
 * Undefined: what the model wrote is no object, or may be half of one (`isCut`: the answer was cut short after the call's
 * name). These clients call whatever comes.
 */
export const wholeCall = (
  { arguments: text, id, name }: AnsweredCall,
  index: number,
  isCut = false
): OllamaCall | undefined => {
  const given = isCut ? undefined : parsed(text)
  return given === undefined ? undefined : { id: callId(id), function: { index, name, arguments: given } }
}

/** What cannot be called is shown: nothing that the model wrote is lost. */
export const asText = ({ arguments: text, name }: AnsweredCall): string => `${name} ${text}`

const parsed = (text: string): Readonly<Record<string, unknown>> | undefined => {
  if (text.trim() === "") return {}
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
