/** The one place where text becomes part of a shell's command line. */
import { type RbeeError, rbeeError } from "../errors.ts"
import * as Either from "effect/Either"

/** One word of a shell, whatever is in it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/**
 * One word of a POSIX shell (XCU 2.2.2: nothing is special within single quotes). Control characters are refused: no
 * path or name of ours has any, and some login shells read them even when quoted.
 */
export const shellWord = (text: string): Either.Either<string, RbeeError<"INVALID_REQUEST">> =>
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u001f\u007f]/.test(text)
    ? Either.left(rbeeError("INVALID_REQUEST", "a path for the other machine has control characters", "Remove them"))
    : Either.right(quoted(text))

/** One word as a person would type it in an advice: quoted where it has to be. */
export const typedWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text))
