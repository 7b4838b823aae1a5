/**
 * Leadership: of all programs that could be the queen of a cluster one is at a time. It is asked for before the stores
 * are opened, and held for as long as the scope is open. Implementations: `port.ts`, `memory.ts`.
 *
 * No lock keeps a program from acting that has lost it and does not know yet: hives refuse an old queen by her epoch,
 * which counts starts (`QueenCatalog`), whatever this port says.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { takenReason } from "../../machines/vocabulary/address.ts"

/** The time of one leader. */
export interface Term {
  /** where the leader is reached */
  readonly url: string
  /** 0: without a port */
  readonly port: number
  /**
   * Fails when leadership is lost that nobody gave up: whoever led must stop acting. Absent: it cannot be lost but with
   * the process.
   */
  readonly lost?: Effect.Effect<never, RbeeError<"CONFLICT">>
}

export class Leadership extends Context.Tag("rbee/Leadership")<
  Leadership,
  {
    /**
     * Leads until the scope closes, or leadership is lost. Fails with CONFLICT where another leads (`details.reason`
     * is `takenReason`), and with INVALID_REQUEST where it can lead nowhere.
     */
    readonly lead: Effect.Effect<Term, RbeeError<"CONFLICT" | "INVALID_REQUEST">, Scope.Scope>
  }
>() {}

/** Asks for it. */
export const lead = Effect.flatMap(Leadership, (leadership) => leadership.lead)

export const anotherLeads = (url: string): RbeeError<"CONFLICT"> =>
  rbeeError("CONFLICT", `another queen leads at ${url}`, "Use that one, or stop it", { url, reason: takenReason })

export const leadershipLost = (url: string, why: string): RbeeError<"CONFLICT"> =>
  rbeeError("CONFLICT", `the queen at ${url} leads no more: ${why}`, "See who listens there now", { url })
