import { describe, expect, it } from "vitest"
import { hostInUrl, isLoopback, isLoopbackName, urlOf } from "../../src/machines/vocabulary/address.ts"

describe("an address", () => {
  it.each(["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.254", "127.0.0.53", "::1", "[::1]"])(
    "%s is this machine's alone",
    (host) => expect([isLoopback(host), isLoopbackName(host)]).toEqual([true, true])
  )

  it.each([
    "0.0.0.0",
    "::",
    "10.0.0.7",
    "128.0.0.1",
    "127.0.0.1.evil.example",
    "127.0.0.256",
    "127.1",
    "127...1",
    "1127.0.0.1",
    "localhost.evil.example",
    "notlocalhost",
    "::11",
    "[::1].evil.example",
    ""
  ])("%s is not", (host) => expect([isLoopback(host), isLoopbackName(host)]).toEqual([false, false]))

  it.each(["app.localhost", "tauri.localhost"])(
    "%s is this machine's for a browser, and a name that DNS may resolve for anybody else",
    (host) => expect([isLoopback(host), isLoopbackName(host)]).toEqual([false, true])
  )

  it("has brackets in a url where it is of IPv6, once", () => {
    expect(["::1", "[::1]", "10.0.0.1", "box"].map(hostInUrl)).toEqual(["[::1]", "[::1]", "10.0.0.1", "box"])
  })

  it("of a server on a wildcard is reached by loopback", () => {
    expect([urlOf("0.0.0.0", 1), urlOf("::", 2), urlOf("[::]", 3), urlOf("::1", 4), urlOf("10.0.0.1", 5)]).toEqual([
      "http://127.0.0.1:1",
      "http://[::1]:2",
      "http://[::1]:3",
      "http://[::1]:4",
      "http://10.0.0.1:5"
    ])
  })
})
