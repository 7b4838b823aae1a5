/**
 * The port by which schemas become grammars. A thread of its own makes them (`thread.ts`); where nobody provides one
 * they are made where they are asked for.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Answering, Wishes } from "../../machines/grammar/answer/constraint.ts"
import { answerTo, type Made, type Question, refusalOf, type Refused } from "./questions.ts"

export interface Grammars {
  /** Fails where no model could be held to what is wished for. */
  readonly check: (wishes: Wishes) => Effect.Effect<void, Refused>
  /** Undefined: the answer is free. */
  readonly of: (answering: Answering) => Effect.Effect<string | undefined, Refused>
}

export const grammarsBy = (make: (question: Question) => Effect.Effect<Made>): Grammars => {
  const ask = (question: Question): Effect.Effect<string | undefined, Refused> =>
    Effect.flatMap(make(question), (made) =>
      made.t === "made" ? Effect.succeed(made.grammar) : Effect.fail(refusalOf(made))
    )
  return {
    check: (wishes) => Effect.asVoid(ask({ ask: "check", wishes })),
    of: (answering) => ask({ ask: "grammar", answering })
  }
}

export class CurrentGrammars extends Context.Reference<CurrentGrammars>()("rbee/Grammars", {
  defaultValue: (): Grammars => grammarsBy((question) => Effect.sync(() => answerTo(question)))
}) {}
