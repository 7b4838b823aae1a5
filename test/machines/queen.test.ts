import { describe, expect, it } from "vitest"
import { queenMachine } from "../../src/machines/queen.ts"
import { Coverage, Walk } from "../support/walk.ts"

const coverage = new Coverage()
const serving = () => new Walk(queenMachine, { idleMs: 60_000 }, coverage)
const states = (walk: Walk<typeof queenMachine>) => walk.commands.map((command) => "state" in command && command.state)

describe("The queen", () => {
  it("refuses, drains, stops workers, then hives, says goodbye, and ends", () => {
    const walk = serving().send({ type: "SHUTDOWN", cascade: true })
    for (const step of ["drain", "stopWorkers", "stopHives", "endStreams"]) {
      expect(walk.running).toEqual([step])
      walk.done(step)
    }
    expect(states(walk)).toEqual(["serving", "draining", "stopping_workers", "stopping_hives", "goodbye"])
    expect(walk.snapshot.status).toBe("done")
  })

  it("leaves workers and hives alive without a cascade", () => {
    const walk = serving().send({ type: "BUSY" }).send({ type: "SHUTDOWN", cascade: false }).done("drain")
    expect(walk.running).toEqual(["endStreams"])
  })

  it("cascades when that is asked for while she drains, and does not take it back", () => {
    const walk = serving().send({ type: "SHUTDOWN", cascade: false })
    walk.send({ type: "SHUTDOWN", cascade: true }).send({ type: "SHUTDOWN", cascade: false })
    expect(walk.done("drain").running).toEqual(["stopWorkers"])
  })

  it("ends by herself when she is out of use for long, never while jobs run", () => {
    const walk = serving().send({ type: "BUSY" })
    expect(walk.delay("idle")).toBeUndefined()
    walk.send({ type: "IDLE" })
    expect(walk.delay("idle")).toBe(60_000)
    walk.send({ type: "IDLE" })
    expect(walk.fire("idle").running).toEqual(["drain"])
    expect(walk.done("drain").running).toEqual(["endStreams"])
  })

  it("ends no more by herself once she is told to stay, while jobs run or while none does", () => {
    const idle = serving().send({ type: "STAY" })
    const busy = serving().send({ type: "BUSY" }).send({ type: "STAY" }).send({ type: "IDLE" })
    expect([idle.delay("idle"), busy.delay("idle")]).toEqual([Infinity, Infinity])
  })

  it("was walked here through every state and every transition", () => {
    expect(coverage.missing(queenMachine)).toEqual([])
  })
})
