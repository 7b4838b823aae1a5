/** The terminal that a keeper talks to: answers on stdout, narration on stderr, signals, a prompt on stdin. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import type { Part } from "./parts.ts"

export { type Colour, paint, type Painted, type Part } from "./parts.ts"
export { plain, printable } from "./plain.ts"
export { Prose } from "./prose.ts"

export interface Output {
  readonly isTTY: boolean
  /** it shows colours and styles */
  readonly isStyled: boolean
  /** columns of the terminal; 80 where there is none */
  readonly columns: () => number
  /**
   * Writes text and coloured text (where the stream wants colours: a TTY, no NO_COLOR, …). A terminal gets it without
   * what would steer it (plain.ts), also where that stands across several writes; others get it byte for byte. Never
   * throws, also when the reader is gone.
   */
  readonly write: (...parts: ReadonlyArray<Part>) => void
  /** Writes the text as it is, to a terminal too. */
  readonly writeRaw: (text: string) => void
  /** Empties the line that the cursor is on. */
  readonly clearLine: () => void
}

/** What the shell sees of a run that was ended by this signal: SIGHUP 129, SIGINT 130, SIGTERM 143. */
export type SignalCode = 129 | 130 | 143

/** What is typed, a line at a time. As long as they are read Ctrl-C is told here, and ends nothing. */
export interface Lines {
  /** Shows the prompt on a terminal, and gives the next line; undefined: there are no more. */
  readonly next: (prompt: string) => Effect.Effect<string | undefined>
  /** Completes at the next Ctrl-C. */
  readonly interrupted: Effect.Effect<void>
}

export class Terminal extends Context.Tag("rbee/Terminal")<
  Terminal,
  {
    readonly stdout: Output
    readonly stderr: Output
    readonly stdinIsTTY: boolean
    /**
     * Something was piped or redirected there by a shell. Not a socket: other programs hand one down that they never
     * close, as sshd does.
     */
    readonly stdinIsPiped: boolean
    /**
     * Completes when stdout takes nothing more: because its reader left (`rbee infer … | head -1`), or, with the
     * reason, because writing failed (a full disk).
     */
    readonly closed: Effect.Effect<{ readonly failure: string | undefined }>
    /** Completes at the first SIGINT, SIGTERM or SIGHUP (the terminal was closed). A second one ends the process at once. */
    readonly interrupted: Effect.Effect<SignalCode>
    /** Asks on stderr and reads one line of a TTY without showing it. */
    readonly readSecret: (question: string) => Effect.Effect<string>
    /** Reads stdin by lines from here on. */
    readonly lines: Effect.Effect<Lines, never, Scope.Scope>
    /** All of stdin as UTF-8, at most `maxBytes`. */
    readonly readStdin: (maxBytes: number) => Effect.Effect<string, RbeeError<"INVALID_REQUEST" | "PAYLOAD_TOO_LARGE">>
  }
>() {}
