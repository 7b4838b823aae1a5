/** The terminal that a keeper talks to: answers on stdout, narration on stderr, signals, a prompt on stdin. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RbeeError } from "../../machines/errors.ts"

export type Colour = "yellow" | "magenta" | "cyan" | "green" | "red" | "dim"

export interface Output {
  readonly isTTY: boolean
  /** The text in this colour where the stream wants colours (a TTY, no NO_COLOR, …); else the text as it is. */
  readonly paint: (colour: Colour, text: string) => string
  /** columns of the terminal; 80 where there is none */
  readonly columns: () => number
  /** Writes the text as it is; never throws, also when the reader is gone. */
  readonly write: (text: string) => void
}

/** What the shell sees of a run that was ended by this signal: SIGINT 130, SIGTERM 143. */
export type SignalCode = 130 | 143

export class Terminal extends Context.Tag("rbee/Terminal")<
  Terminal,
  {
    readonly stdout: Output
    readonly stderr: Output
    readonly stdinIsTTY: boolean
    /**
     * Completes when stdout takes nothing more: because its reader left (`rbee infer … | head -1`), or, with the
     * reason, because writing failed (a full disk).
     */
    readonly closed: Effect.Effect<{ readonly failure: string | undefined }>
    /** Completes at the first SIGINT or SIGTERM. A second one ends the process at once. */
    readonly interrupted: Effect.Effect<SignalCode>
    /** Asks on stderr and reads one line of a TTY without showing it. */
    readonly readSecret: (question: string) => Effect.Effect<string>
    /** All of stdin as UTF-8, at most `maxBytes`. */
    readonly readStdin: (maxBytes: number) => Effect.Effect<string, RbeeError<"INVALID_REQUEST" | "PAYLOAD_TOO_LARGE">>
  }
>() {}
