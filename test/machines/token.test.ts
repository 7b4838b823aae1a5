import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { Token, tokenFault } from "../../src/machines/vocabulary/token.ts"
import { checkBind } from "../../src/layers/transport/http/server/guard.ts"

const sound = ["x".repeat(16), "x".repeat(4096), "rbee_0123456789abcdef"]
const unsound = [
  "",
  "x".repeat(15),
  "x".repeat(4097),
  "with a space in it",
  "umlaut-\u00e4-0123456789",
  "line\nfeed-0123456789"
]

describe("A token", () => {
  it("is judged by one rule: in the environment, at a bind and where a hive joins", () => {
    const isToken = Schema.is(Token)
    for (const token of sound) {
      expect(tokenFault(token)).toBeUndefined()
      expect(isToken(token)).toBe(true)
      expect(checkBind("0.0.0.0", token)).toBeUndefined()
    }
    for (const token of unsound) {
      expect(tokenFault(token)).toBeDefined()
      expect(isToken(token)).toBe(false)
      expect(checkBind("127.0.0.1", token)?.message).toContain(tokenFault(token))
    }
  })

  it("that is refused is never quoted", () => {
    for (const token of unsound.slice(1)) expect(tokenFault(token)).not.toContain(token)
  })
})
