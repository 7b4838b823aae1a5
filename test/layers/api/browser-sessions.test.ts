/** How a browser shows the cluster's token without knowing it. */
import { assert, describe, it } from "vitest"
import { BrowserSessions, sessionMs, ticketMs } from "../../../src/layers/transport/http/server/browser-sessions.ts"

const at = () => {
  const clock = { now: 1000 }
  return { clock, sessions: new BrowserSessions(undefined, () => clock.now) }
}
const cookieOf = (header: string | undefined): string => header?.split(";")[0] ?? ""

describe("a browser's ticket", () => {
  it("is traded once for a cookie that no script and no other site can send", () => {
    const { sessions } = at()
    const ticket = sessions.ticket()
    const header = sessions.redeem(ticket)
    assert.match(header ?? "", /^rbee_inspector=\d+\.[\w-]{43}\.[\w-]{43}; HttpOnly; SameSite=Strict; Path=\//)
    assert.isTrue(sessions.admits(`theme=dark; ${cookieOf(header)}`))
    assert.isUndefined(sessions.redeem(ticket))
  })

  it("is worth nothing after a minute, and its session after half a day", () => {
    const { clock, sessions } = at()
    const late = sessions.ticket()
    clock.now += ticketMs + 1
    assert.isUndefined(sessions.redeem(late))
    const cookie = cookieOf(sessions.redeem(sessions.ticket()))
    assert.isTrue(sessions.admits(cookie))
    clock.now += sessionMs + 1
    assert.isFalse(sessions.admits(cookie))
  })

  it("gives a session that holds at the next daemon of the same token, and at none of another", () => {
    const [own, next, other, none] = ["one", "one", "two", undefined].map((token) => new BrowserSessions(token))
    const cookie = cookieOf(own?.redeem(own.ticket()))
    assert.isTrue(next?.admits(cookie))
    assert.isFalse(other?.admits(cookie))
    assert.isFalse(none?.admits(cookie))
    const [name = "", until = "", ...signature] = cookie.split(/[=.]/)
    assert.isFalse(next?.admits(`${name}=${Number(until) + 1}.${signature.join(".")}`), "a later end")
    assert.isFalse(next?.admits(cookie.slice(0, -1)), "a piece")
  })

  it("cannot be made up: no cookie, another's name, a guess", () => {
    const { sessions } = at()
    for (const cookies of [undefined, "", "rbee_inspector=", "rbee_inspector=guess", "other=1"])
      assert.isFalse(sessions.admits(cookies))
    assert.isUndefined(sessions.redeem("guess"))
  })

  it("beyond 64 makes the oldest worthless", () => {
    const { sessions } = at()
    const first = sessions.ticket()
    for (let n = 0; n < 64; n++) sessions.ticket()
    assert.isUndefined(sessions.redeem(first))
  })
})
