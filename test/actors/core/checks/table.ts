/** Each strategy × restart type × way to end, on one row of children: a, b (the one that ends), c, d (temporary). */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Check, type Core, living, puppet, said, settled } from "./core.ts"

const strategies = ["one_for_one", "one_for_all", "rest_for_one"] as const
const restarts = ["permanent", "transient", "temporary"] as const
const endings = ["normal", "abnormal", "kill"] as const

/** What is said after b has ended, and who lives then. First b's own end: its scope is closed before all else. */
const comesBack = {
  one_for_one: { log: "-b +b", lives: "a b c d" },
  one_for_all: { log: "-b -d -c -a +a +b +c", lives: "a b c" },
  rest_for_one: { log: "-b -d -c +b +c", lives: "a b c" }
}
const staysAway = { log: "-b", lives: "a c d" }

const expected = {
  permanent: { normal: comesBack, abnormal: comesBack, kill: comesBack },
  transient: { normal: undefined, abnormal: comesBack, kill: comesBack },
  temporary: { normal: undefined, abnormal: undefined, kill: undefined }
}

const cell =
  (strategy: (typeof strategies)[number], restart: (typeof restarts)[number], how: (typeof endings)[number]) =>
  (core: Core) =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const b = puppet("b", { log, restart })
      const tree = yield* core.supervisor({
        path: "table",
        strategy,
        children: [
          puppet("a", { log }).spec,
          b.spec,
          puppet("c", { log, restart: "transient" }).spec,
          puppet("d", { log, restart: "temporary" }).spec
        ]
      })
      assert.strictEqual(said(log), "+a +b +c +d")
      yield* b.end(how)
      yield* settled(tree)
      const { log: words, lives } = expected[restart][how]?.[strategy] ?? staysAway
      assert.strictEqual(said(log), words)
      assert.strictEqual(yield* living(tree), lives)
    })

export const table: ReadonlyArray<Check> = strategies.flatMap((strategy) =>
  restarts.flatMap((restart) =>
    endings.map((how) => ({
      name: `${strategy}: a ${restart} child that ends by ${how} ${expected[restart][how] === undefined ? "stays away" : "comes back"}`,
      run: cell(strategy, restart, how)
    }))
  )
)
