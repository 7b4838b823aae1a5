/** Sockets that systemd hands over: sd_listen_fds(3). */
import { describe, expect, it } from "vitest"
import { handedSockets } from "../../../src/layers/leadership/handed.ts"

describe("A socket that is handed over", () => {
  it("is taken where it is for this process, from the third descriptor on", () => {
    expect(handedSockets({ LISTEN_PID: "7", LISTEN_FDS: "2", LISTEN_FDNAMES: "a:b" }, 7)).toEqual([3, 4])
  })

  it("is not taken where it was another process's, or there is no number of them", () => {
    const wrong = [
      {},
      { LISTEN_FDS: "1" },
      ...["0", "-1", "one", "1e3", " 1"].map((n) => ({ LISTEN_PID: "7", LISTEN_FDS: n }))
    ]
    expect([{ LISTEN_PID: "8", LISTEN_FDS: "1" }, ...wrong].map((env) => handedSockets(env, 7))).toEqual([
      ...Array.from({ length: 8 }, () => [])
    ])
  })

  it("is told to no child, taken or not", () => {
    for (const pid of [7, 8]) {
      const env: Record<string, string | undefined> = {
        PATH: "/bin",
        LISTEN_PID: "7",
        LISTEN_FDS: "1",
        LISTEN_FDNAMES: "a"
      }
      handedSockets(env, pid)
      expect(env).toEqual({ PATH: "/bin" })
    }
  })
})
