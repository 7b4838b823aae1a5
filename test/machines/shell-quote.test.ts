import { execFileSync } from "node:child_process"
import * as Either from "effect/Either"
import { assert, describe, it } from "vitest"
import { shellWord } from "../../src/machines/formats/shell-quote.ts"

const corpus = [
  "plain",
  "two words",
  "$(touch /tmp/pwned)",
  "`id`",
  "; rm -rf ~",
  "it's",
  "''",
  "'\"'\"'",
  "a\\b\\",
  "*",
  "~root",
  "-n",
  "a&b|c>d<e",
  "!!",
  "#x",
  "ünïcode ✓"
]

describe("a word of a shell's command line", () => {
  for (const shell of ["sh", "bash"])
    it(`arrives as it was, whatever is in it (${shell})`, () => {
      for (const text of corpus) {
        const word = Either.getOrThrow(shellWord(text))
        assert.strictEqual(execFileSync(shell, ["-c", `printf %s ${word}`], { encoding: "utf8" }), text)
      }
    })

  it("has no control characters", () => {
    for (const text of ["a\nb", "a\0b", "\u001b[2J", "a\rb", "\u007f"])
      assert.isTrue(Either.isLeft(shellWord(text)), JSON.stringify(text))
  })
})
