/** What a vocabulary tells of texts and tokens. */
import type { TextAnswer, TextQuestion } from "../../../../machines/vocabulary/model.ts"
import type { AddonModel } from "../addon.ts"
import { Pieces } from "./pieces.ts"
import { spellingOf } from "./renderer.ts"

type Tokenize = Extract<TextQuestion, { readonly ask: "tokenize" }>

/** The tokens that are named are some of its own. */
export const wordsOf = (model: AddonModel, question: TextQuestion, template: string | undefined): TextAnswer => {
  switch (question.ask) {
    case "tokenize": {
      const tokens = tokensOf(model, question)
      return question.with_pieces === true ? { tokens, pieces: piecesOf(model, tokens) } : { tokens }
    }
    case "detokenize":
      return { content: textOf(model, question.tokens) }
    case "about": {
      const { bos, eos } = spellingOf(model)
      return {
        about: { bos_token: bos, eos_token: eos, ...(template === undefined ? {} : { chat_template: template }) }
      }
    }
  }
}

const tokensOf = (
  model: AddonModel,
  { add_special: isPrompt = false, content, parse_special: isParsed = true }: Tokenize
): ReadonlyArray<number> => {
  const parts = typeof content === "string" ? [content] : content
  const tokens = parts.flatMap((part) =>
    typeof part === "number" ? [part] : Array.from(model.tokenize(part, isParsed))
  )
  const bos = model.tokenBos()
  // one that the text spells itself is not put before it again
  return isPrompt && bos >= 0 && model.shouldPrependBosToken() && tokens[0] !== bos ? [bos, ...tokens] : tokens
}

const piecesOf = (model: AddonModel, tokens: ReadonlyArray<number>): TextAnswer["pieces"] => {
  const pieces = new Pieces(model)
  return tokens.map((token) => {
    const piece = pieces.spelt(token)
    return typeof piece === "string" ? piece : Array.from(piece)
  })
}

/** Control tokens written out; what is no character is U+FFFD. */
const textOf = (model: AddonModel, tokens: ReadonlyArray<number>): string => {
  const pieces = new Pieces(model)
  const bytes = tokens.map((token, at) => {
    const piece = pieces.spelt(token)
    if (typeof piece !== "string") return piece
    // the tokenizer's own, and no space of the text
    return Buffer.from(piece.startsWith(" ") && pieces.spaced(tokens[at - 1], token) ? piece.slice(1) : piece)
  })
  return Buffer.concat(bytes).toString()
}
