/** The tokens of what is measured, as llama.cpp's own server makes them of it. */
import { contentOnly } from "../../../../machines/dialect/dialect.ts"
import { type AddonModel, VOCABULARY_WORD_PIECE } from "../addon.ts"
import { Literals } from "./literals.ts"
import type { Measured } from "./tokenize.ts"

/** -1 stands for a token that the vocabulary does not have. */
const there = (...tokens: ReadonlyArray<number>): ReadonlyArray<number> => tokens.filter((token) => token >= 0)

export const measuredTokens = (model: AddonModel, input: Measured): Array<number> =>
  input._tag === "Text" ? wholeText(model, input.text) : pair(model, input)

/** With what models are used to at both ends. What is spelt like a control token is one, as in their training. */
const wholeText = (model: AddonModel, text: string): Array<number> => {
  const isWordPiece = model.getVocabularyType() === VOCABULARY_WORD_PIECE
  const begin = isWordPiece || model.shouldPrependBosToken() ? model.tokenBos() : -1
  const end = isWordPiece ? model.sepToken() : model.shouldAppendEosToken() ? model.tokenEos() : -1
  return [...there(begin), ...model.tokenize(text, true), ...there(end)]
}

const pair = (
  model: AddonModel,
  { document, isSeparated, query, template }: Extract<Measured, { readonly _tag: "Pair" }>
): Array<number> => {
  if (template !== undefined) return filled(model, template, { query, document })
  const end = model.tokenEos() >= 0 ? model.tokenEos() : model.sepToken()
  const ends = model.shouldAppendEosToken() ? there(end) : []
  return [
    ...(model.shouldPrependBosToken() ? there(model.tokenBos()) : []),
    ...model.tokenize(query, false),
    ...ends,
    ...(isSeparated ? there(model.sepToken()) : []),
    ...model.tokenize(document, false),
    ...ends
  ]
}

/** A document that spells what steers the model is a text all the same. */
const filled = (
  model: AddonModel,
  template: string,
  { document, query }: Readonly<Record<"query" | "document", string>>
): Array<number> => {
  const literals = new Literals(model, contentOnly(""))
  const [q, d] = [literals.neutral(query), literals.neutral(document)]
  return literals.tokens(template.replaceAll(/\{query\}|\{document\}/g, (place) => (place === "{query}" ? q : d)))
}
