import { describe, expect, it } from "vitest"
import { attemptsMax, downloadMachine } from "../../src/machines/download.ts"
import { rbeeError } from "../../src/machines/errors.ts"
import { Coverage, Walk } from "../support/walk.ts"
import { ModelRef } from "../../src/machines/vocabulary/ids.ts"

const coverage = new Coverage()
const start = () => new Walk(downloadMachine, { ref: ModelRef.make("minillama") }, coverage).send({ type: "START" })
const resolved = () => start().done("resolve", { bytes: 1000, partial: 0 })
const stalled = rbeeError("DOWNLOAD_STALLED", "nothing came for 30 s")
const denied = rbeeError("MODEL_ACCESS_DENIED", "it is gated")
const broken = rbeeError("DOWNLOAD_FAILED", "reset")
const readOnly = rbeeError("DOWNLOAD_FAILED", "read only", "", { permanent: true })
const wrongHash = rbeeError("CHECKSUM_MISMATCH", "another hash")

describe("A download", () => {
  it("goes from its reference to a published file, and says so last", () => {
    const walk = resolved()
    walk.send({ type: "PROGRESS", received: 400, rate: 10 })
    expect(walk.snapshot.hasTag("loading")).toBe(true)
    walk.done("transfer").done("publish", "/models/a.gguf")
    expect(walk.snapshot.hasTag("healthy")).toBe(true)
    expect(walk.commands).toEqual([
      { type: "resolved", bytes: 1000, partial: 0 },
      { type: "progress", received: 400, total: 1000, rate: 10 },
      { type: "ended", outcome: { outcome: "published", file: "/models/a.gguf" } }
    ])
  })

  it("backs off after a stall and goes on from what is there, six times at most", () => {
    const walk = resolved()
    const delays: Array<number | undefined> = []
    for (let attempt = 1; attempt < attemptsMax; attempt++) {
      walk.fail("transfer", stalled)
      expect(walk.snapshot.hasTag("degraded")).toBe(true)
      delays.push(walk.delay("backoff"))
      walk.fire("backoff")
      expect(walk.running).toEqual(["transfer"])
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000])
    walk.fail("transfer", stalled)
    expect(walk.output).toEqual({ outcome: "failed", error: stalled })
  })

  it("waits as long as the server asks for, and says from where it goes on", () => {
    const busy = rbeeError("DOWNLOAD_FAILED", "too often", "", { retry_after_ms: 7000 })
    const walk = resolved().send({ type: "PROGRESS", received: 400, rate: 10 }).fail("transfer", busy)
    expect(walk.delay("backoff")).toBe(7000)
    walk.fire("backoff")
    expect(walk.commands.at(-1)).toEqual({ type: "resuming", received: 400, total: 1000 })
  })

  it("asks its source again when that could not be reached", () => {
    const walk = start().fail("resolve", broken)
    expect(walk.snapshot.hasTag("degraded")).toBe(true)
    walk.fire("backoff").done("resolve", { bytes: 5, partial: 2 })
    expect(walk.snapshot.matches("loading")).toBe(true)
  })

  it.each([denied, readOnly])("fails at once where trying again cannot help", (error) => {
    expect(start().fail("resolve", error).output).toEqual({ outcome: "failed", error })
    expect(resolved().fail("transfer", error).output).toEqual({ outcome: "failed", error })
  })

  it("gives a hub that is down four tries, and one that says nothing none but the first", () => {
    const down = rbeeError("DOWNLOAD_FAILED", "it cannot be reached", "", { unreachable: true })
    const walk = start()
    for (let n = 0; n < 3; n++) walk.fail("resolve", down).fire("backoff")
    expect(walk.fail("resolve", down).output).toEqual({ outcome: "failed", error: down })
    const silent = rbeeError("DOWNLOAD_STALLED", "it does not answer", "", { unreachable: true, silent: true })
    expect(start().fail("resolve", silent).output).toEqual({ outcome: "failed", error: silent })
  })

  it("throws a file with a wrong hash away and tries once more, not twice", () => {
    const walk = resolved().done("transfer").fail("publish", wrongHash)
    expect(walk.running).toEqual(["discard"])
    walk.done("discard").done("transfer").fail("publish", wrongHash)
    expect(walk.output).toEqual({ outcome: "failed", error: wrongHash })
  })

  it("fails when the wrong file cannot even be thrown away", () => {
    const walk = resolved().done("transfer").fail("publish", wrongHash).fail("discard", broken)
    expect(walk.output).toEqual({ outcome: "failed", error: broken })
  })

  it("was walked here through every state and every transition", () => {
    expect(coverage.missing(downloadMachine)).toEqual([])
  })
})
