/** What a bearer token, or a secret that stands in its place, must be: not to be guessed, and what a header can carry. */
import * as Schema from "effect/Schema"

export const tokenLength = { min: 16, max: 4096 }

const printable = /^[\x21-\x7e]*$/

/** What is wrong with it, in words that follow "the token …"; undefined: nothing. */
export const tokenFault = (token: string): string | undefined => {
  const { max, min } = tokenLength
  if (token.length < min) return `has ${token.length} characters, fewer than ${min}`
  if (token.length > max) return `has ${token.length} characters, more than ${max}`
  return printable.test(token) ? undefined : "has characters that no HTTP header can carry"
}

/** As `tokenFault`; a pattern, of which examples can be made. */
export const Token = Schema.String.pipe(
  Schema.pattern(new RegExp(`^[\\x21-\\x7e]{${tokenLength.min},${tokenLength.max}}$`), {
    message: () => `${tokenLength.min} to ${tokenLength.max} printable characters without a space`
  })
)
