/** docs/narration.md has the lines that the code says, each with its actor and its name. */
import { expect, it } from "vitest"
import * as narration from "../../src/machines/narration.ts"
import { rowsOf, textOf } from "./pages.ts"
import { HiveId, DeviceId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

type Says = {
  readonly [
    Name in keyof typeof narration as (typeof narration)[Name] extends (...args: never) => narration.Line ? Name : never
  ]: ReadonlyArray<narration.Line>
}

/** Every function that makes a line, called in each of its ways: one that is missing here is a mistake of types. */
const says: Says = {
  inferStart: [narration.inferStart("minillama")],
  queenAsleep: [narration.queenAsleep()],
  queenLaunch: [narration.queenLaunch(8500)],
  queenAwake: [narration.queenAwake()],
  sseConnected: [narration.sseConnected()],
  hiveInstall: [narration.hiveInstall("attic", "copying it")],
  hiveAddLocal: [narration.hiveAddLocal()],
  hiveWake: [narration.hiveWake("localhost:8600")],
  hiveRouse: [narration.hiveRouse("attic", 42), narration.hiveRouse("attic", undefined)],
  hiveSleeps: [narration.hiveSleeps("attic", 1800)],
  hiveFirstHeartbeat: [narration.hiveFirstHeartbeat("attic")],
  hiveCapabilities: [narration.hiveCapabilities("attic", "CPU", 0, 1)],
  hiveCached: [narration.hiveCached("attic", 1), narration.hiveCached("attic", 12)],
  scheduled: [narration.scheduled(DeviceId.make("gpu0"), HiveId.make("attic"))],
  queued: [narration.queued(3)],
  capacityAsk: [narration.capacityAsk(DeviceId.make("gpu0"))],
  capacityFull: [narration.capacityFull(DeviceId.make("gpu0"), ModelRef.make("minillama"))],
  modelProvision: [narration.modelProvision(ModelRef.make("minillama"))],
  modelProvisionStarted: [narration.modelProvisionStarted(ModelRef.make("minillama"))],
  downloadStart: [narration.downloadStart(3_300_000)],
  downloadFromQueen: [narration.downloadFromQueen()],
  downloadProgress: [narration.downloadProgress(40, 5_000_000)],
  downloadKept: [narration.downloadKept()],
  downloadResume: [narration.downloadResume(40)],
  downloadDone: [narration.downloadDone(1234)],
  modelPresent: [narration.modelPresent(ModelRef.make("minillama"))],
  workerProvision: [narration.workerProvision("cpu-llm-worker-rbee")],
  workerPrepared: [narration.workerPrepared()],
  workerAvailable: [narration.workerAvailable("cpu-llm-worker-rbee")],
  workerWake: [narration.workerWake(8601, "/m.gguf"), narration.workerWake(undefined, "/m.gguf")],
  makingRoom: [narration.makingRoom(DeviceId.make("gpu0"), 1), narration.makingRoom(DeviceId.make("gpu0"), 2)],
  workerAwake: [narration.workerAwake("CUDA")],
  workerRestart: [narration.workerRestart("w1", "exit code 1", 1, 3)],
  deviceDegraded: [narration.deviceDegraded(HiveId.make("attic"), DeviceId.make("gpu0"))],
  modelRefused: [narration.modelRefused(HiveId.make("attic"), DeviceId.make("gpu0"), ModelRef.make("minillama"))],
  startFailed: [narration.startFailed(HiveId.make("attic"), DeviceId.make("gpu0"))],
  contextShrunk: [narration.contextShrunk(4096, 2048, DeviceId.make("gpu0"))],
  preferenceGivesWay: [
    narration.preferenceGivesWay({ device: DeviceId.make("gpu1"), hive: HiveId.make("attic") }, "it is full"),
    narration.preferenceGivesWay({ hive: HiveId.make("attic") }, "it is full")
  ],
  notExact: [narration.notExact("gpu"), narration.notExact("differs")],
  kvTypeKept: [narration.kvTypeKept("f16", "q8_0")],
  contextChosen: [narration.contextChosen(4096, 32_768)],
  contextNeeded: [narration.contextNeeded(9000, 4096)],
  contextOutgrown: [narration.contextOutgrown(6144, 4096)],
  contextLesser: [narration.contextLesser(5000)],
  contextFilled: [narration.contextFilled(4096), narration.contextFilled(4096, "there is no room")],
  reloadWaits: [narration.reloadWaits(40)],
  inferConnected: [narration.inferConnected()],
  done: [narration.done()],
  inferDone: [narration.inferDone()],
  answered: [narration.answered(42, 1065)],
  continued: [narration.continued(12)],
  paused: [narration.paused(12)],
  failover: [narration.failover(12, DeviceId.make("cpu"), HiveId.make("attic"))],
  hiveLost: [narration.hiveLost("attic", 2)],
  queenLost: [narration.queenLost()],
  cancelled: [narration.cancelled()],
  jobFailed: [narration.jobFailed({ code: "DISK_FULL", message: "the disk is full. Free 3 MB" })],
  cascadeAsk: [narration.cascadeAsk()],
  queenLeft: [narration.queenLeft("was_here"), narration.queenLeft("in_use")],
  cascadeWorkers: [narration.cascadeWorkers()],
  cascadeHives: [narration.cascadeHives()],
  hiveLeft: [narration.hiveLeft("attic")],
  goodbye: [narration.goodbye()],
  keepWarm: [narration.keepWarm()]
}
const lines = Object.values(says).flat()

/** `{…}` stands for what is filled in. */
const fits = (template: string, text: string): boolean =>
  new RegExp(`^${template.replaceAll(/[[\]().?+*$^|\\]/g, "\\$&").replaceAll(/\{\w+\}/g, ".+")}$`).test(text)

/** The lines of the page; a second way to say one stands in its last cell, in code. */
const told = rowsOf(textOf("docs/narration.md")).flatMap(([, actor = "", line = "", action = "", when = ""]) =>
  /^`\w+`$/.test(action)
    ? [line, ...[...when.matchAll(/(?:or |; )(`[^`]+ [^`]+`)/g)].map(([, other = ""]) => other)].map((text) => ({
        actor,
        action: action.replaceAll("`", ""),
        template: text.replaceAll("`", "")
      }))
    : []
)

it("every line that is said stands there once, with its actor and its name", () => {
  for (const { action, actor, human } of lines)
    expect([
      human,
      told.filter((row) => row.action === action && row.actor === actor && fits(row.template, human))
    ]).toEqual([human, [expect.anything()]])
})

it("every line that stands there is said", () => {
  const unsaid = told.filter(
    ({ action, template }) => !lines.some((line) => line.action === action && fits(template, line.human))
  )
  expect(unsaid.map(({ template }) => template)).toEqual([])
})
