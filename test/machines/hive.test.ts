import { describe, expect, it } from "vitest"
import { type ErrorCode, rbeeError } from "../../src/machines/errors.ts"
import { hiveMachine } from "../../src/machines/hive.ts"
import { Coverage, Walk } from "../support/walk.ts"

const coverage = new Coverage()
const claimed = { url: "http://127.0.0.1:8600", instance: "h1", version: "1" }
const beat = { type: "BEAT", instance: "h1" } as const
const error = (code: ErrorCode) => rbeeError(code, `it was ${code}`)

const attaching = () => new Walk(hiveMachine, { lateMs: 3000, lostMs: 10_000 }, coverage)
const cold = () => attaching().done("attach", undefined)
const waking = () => cold().send({ type: "ENSURE" })
const loading = () => waking().done("wake", claimed)
const checking = () => loading().send(beat)
const healthy = () => checking().done("checkCapabilities")
const degraded = () => healthy().done("watch")
const lost = () => degraded().fire("lost")
const stopping = () => healthy().send({ type: "STOP" })
const stopped = () => stopping().done("stop")

const suspending = () => healthy().send({ type: "REST" })
const asleep = () => suspending().done("suspend")

const tag = (walk: Walk<typeof hiveMachine>) => [...walk.snapshot.tags].join()

describe("A hive", () => {
  it("is looked for, woken when somebody wants it, heard, asked, healthy", () => {
    const walk = attaching()
    expect(tag(walk)).toBe("waking")
    walk.done("attach", undefined)
    expect(tag(walk)).toBe("cold")
    walk.send({ type: "ENSURE" })
    expect(walk.running).toEqual(["wake"])
    walk.done("wake", claimed)
    expect(tag(walk)).toBe("loading")
    walk.send(beat)
    expect(walk.input("checkCapabilities")).toEqual(claimed)
    walk.done("checkCapabilities")
    expect(tag(walk)).toBe("healthy")
    expect(walk.said).toEqual(["entered", "entered", "entered", "entered", "entered"])
  })

  it("that runs already is taken over, and one that is wanted meanwhile is woken", () => {
    expect(tag(attaching().done("attach", claimed))).toBe("loading")
    expect(attaching().send({ type: "ENSURE" }).done("attach", undefined).running).toEqual(["wake"])
  })

  it("that belongs to somebody else fails, until it is wanted again", () => {
    const walk = attaching().fail("attach", error("HIVE_OWNED"))
    expect(tag(walk)).toBe("failed")
    expect(walk.send({ type: "ENSURE" }).running).toEqual(["wake"])
  })

  it("may beat before its claim is answered, and is not waited for then", () => {
    expect(waking().send(beat).done("wake", claimed).running).toEqual(["checkCapabilities"])
    expect(attaching().send(beat).done("attach", claimed).running).toEqual(["checkCapabilities"])
    const stale = waking().send({ type: "BEAT", instance: "h0" }).done("wake", claimed)
    expect(stale.snapshot.matches({ loading: "listening" })).toBe(true)
  })

  it("is woken three times, with backoff, before it is failed", () => {
    const walk = waking()
    const delays: Array<number | undefined> = []
    for (let n = 0; n < 2; n++) {
      walk.fail("wake", error("CONNECTION_TIMEOUT"))
      expect(tag(walk)).toBe("degraded")
      delays.push(walk.delay("wakeDelay"))
      walk.fire("wakeDelay")
    }
    expect(delays).toEqual([250, 500])
    walk.fail("wake", error("CONNECTION_TIMEOUT"))
    expect(tag(walk)).toBe("failed")
    expect(walk.snapshot.context.error?.code).toBe("CONNECTION_TIMEOUT")
  })

  it("is not woken again where that cannot help", () => {
    expect(tag(waking().fail("wake", error("CONFLICT")))).toBe("failed")
  })

  it("that stays silent after its claim, or does not tell its devices, is lost", () => {
    const silent = loading().fire("firstBeat")
    expect(silent.running).toEqual(["recover"])
    expect(silent.snapshot.context.error?.code).toBe("CONNECTION_TIMEOUT")
    expect(checking().fail("checkCapabilities", error("CONNECTION_TIMEOUT")).running).toEqual(["recover"])
  })

  it("is degraded when its beats are late, healthy again with the next, lost after ten seconds", () => {
    const walk = degraded()
    expect(tag(walk)).toBe("degraded")
    expect(walk.delay("lost")).toBe(7000)
    expect(tag(walk.send(beat))).toBe("healthy")
    expect(walk.input("watch")).toBe(3000)
    walk.send(beat).done("watch").fire("lost")
    expect(walk.said).toContain("lost")
    expect(walk.running).toEqual(["recover"])
  })

  it("that is suspected is looked at, and lost at once if it does not answer", () => {
    const walk = healthy().send({ type: "SUSPECT" })
    expect(walk.input("probe")).toEqual(claimed)
    walk.done("probe")
    expect(walk.snapshot.matches({ healthy: "beating" })).toBe(true)
    expect(walk.snapshot.context.looked).toBe(1)
    expect(walk.send({ type: "SUSPECT" }).fail("probe", error("CONNECTION_TIMEOUT")).running).toEqual(["recover"])
    const late = degraded().send({ type: "SUSPECT" })
    expect(late.done("probe").snapshot.matches({ degraded: "waiting" })).toBe(true)
    expect(late.send({ type: "SUSPECT" }).fail("probe", error("CONNECTION_TIMEOUT")).running).toEqual(["recover"])
  })

  it("that is lost is woken again if it was of use, else when it is wanted", () => {
    const used = lost().done("recover", { wakeAgain: true })
    expect(used.delay("wakeDelay")).toBe(250)
    expect(used.fire("wakeDelay").running).toEqual(["wake"])
    expect(lost().send({ type: "ENSURE" }).done("recover", { wakeAgain: false }).running).toEqual([])
    expect(tag(lost().done("recover", { wakeAgain: false }))).toBe("cold")
    expect(lost().done("recover", { wakeAgain: false, answers: true }).running).toEqual(["attach"])
  })

  it("that is lost again and again is failed; awake for half a minute it counts as recovered", () => {
    const walk = lost()
    for (let n = 0; n < 2; n++) {
      walk.done("recover", { wakeAgain: true }).fire("wakeDelay").done("wake", claimed).send(beat)
      walk.done("checkCapabilities").done("watch").fire("lost")
    }
    expect(tag(walk.done("recover", { wakeAgain: true }))).toBe("failed")
    expect(healthy().fire("stable").snapshot.context.attempts).toBe(0)
  })

  it("is asked for its devices again when they are old", () => {
    const walk = healthy().send({ type: "REFRESH" })
    expect(walk.running).toEqual(["checkCapabilities"])
    expect(tag(walk.done("checkCapabilities"))).toBe("healthy")
  })

  it("stops from anywhere, and can be woken again", () => {
    for (const make of [attaching, cold, waking, loading, checking, healthy, suspending, degraded, lost]) {
      const walk = make().send({ type: "STOP" })
      expect(walk.running).toEqual(["stop"])
      expect(tag(walk.send({ type: "STOP" }).send(beat).done("stop"))).toBe("stopped")
      expect(walk.said.slice(-2)).toEqual(["gone", "entered"])
    }
    expect(stopped().send({ type: "STOP" }).send({ type: "ENSURE" }).running).toEqual(["wake"])
    expect(stopping().send({ type: "ENSURE" }).done("stop").running).toEqual(["wake"])
  })

  it("that was out of reach when it was stopped is stopped again when it is told to, or heard of", () => {
    const unsure = () => stopping().fail("stop", error("CONNECTION_TIMEOUT"))
    expect(tag(unsure())).toBe("stopped")
    expect(unsure().snapshot.context.error?.code).toBe("CONNECTION_TIMEOUT")
    expect(unsure().send({ type: "STOP" }).running).toEqual(["stop"])
    const heard = unsure().send({ type: "SUSPECT" })
    expect(heard.running).toEqual(["stop"])
    expect(heard.done("stop").snapshot.context.error).toBeUndefined()
    expect(heard.send({ type: "SUSPECT" }).running).toEqual([])
    expect(stopping().send({ type: "ENSURE" }).fail("stop", error("CONNECTION_TIMEOUT")).running).toEqual(["wake"])
  })

  it("that was stopped takes in another process that beats in its name, and knows whose late beats those are not", () => {
    expect(stopped().snapshot.context.ended).toBe("h1")
    const heard = stopped().send({ type: "ATTACH" })
    expect(heard.running).toEqual(["attach"])
    expect(tag(heard.done("attach", { ...claimed, instance: "h2" }))).toBe("loading")
  })

  it("that is idle is put to sleep where it agrees, stays as it is where not, and is woken for whoever wants it", () => {
    expect(suspending().running).toEqual(["suspend"])
    expect(suspending().input("suspend")).toEqual(claimed)
    expect(tag(suspending().fail("suspend", error("CONFLICT")))).toBe("healthy")
    const walk = asleep()
    expect(tag(walk)).toBe("asleep")
    expect(walk.running).toEqual([])
    expect(walk.said.slice(-2)).toEqual(["gone", "entered"])
    expect(walk.send({ type: "ENSURE" }).running).toEqual(["wake"])
    expect(suspending().send({ type: "ENSURE" }).done("suspend").running).toEqual(["wake"])
  })

  it("whose machine sleeps already is not looked for; one that is not there sleeps, also where it was lost", () => {
    expect(tag(new Walk(hiveMachine, { lateMs: 3000, lostMs: 10_000, asleep: true }, coverage))).toBe("asleep")
    expect(tag(attaching().done("attach", "asleep"))).toBe("asleep")
    expect(tag(lost().done("recover", { wakeAgain: false, sleeps: true }))).toBe("asleep")
  })

  it("whose machine sleeps is stopped without a look at it, and taken in where somebody else has woken it", () => {
    expect(tag(asleep().send({ type: "STOP" }))).toBe("stopped")
    expect(asleep().snapshot.context.ended).toBe("h1")
    expect(asleep().send({ type: "ATTACH" }).running).toEqual(["attach"])
  })

  it("sleeps on where nobody wants it any more before it is up, unless somebody does again", () => {
    const woken = () => asleep().send({ type: "ENSURE" })
    const off = woken().fail("wake", error("CANCELLED"))
    expect([tag(off), off.snapshot.context.wanted]).toEqual(["asleep", false])
    expect(tag(woken().send({ type: "ENSURE" }).fail("wake", error("CANCELLED")))).toBe("degraded")
  })

  it("is not woken by a wish that came before it was stopped once more", () => {
    const walk = stopping().send({ type: "ENSURE" }).send({ type: "STOP" }).done("stop")
    expect(tag(walk)).toBe("stopped")
  })

  it("remembers each wish, wherever it is", () => {
    expect(healthy().send({ type: "ENSURE" }).snapshot.context.asked).toBe(2)
    expect(stopped().send({ type: "STOP" }).snapshot.context.told).toBe(2)
  })

  it("was walked here through every state and every transition", () => {
    expect(coverage.missing(hiveMachine)).toEqual([])
  })
})
