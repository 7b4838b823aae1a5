/** The packet that wakes a machine, and the command that puts one to sleep. */
import { createSocket } from "node:dgram"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect, it } from "vitest"
import { layerCommand } from "../../src/layers/power/command.ts"
import { Suspend } from "../../src/layers/power/index.ts"
import { broadcastOf, packetFor } from "../../src/layers/power/magic-packet.ts"
import { defaults } from "../../src/layers/settings/defaults.ts"
import { CurrentSettings } from "../../src/layers/settings/index.ts"

it("a magic packet is six bytes of ones and sixteen times the card's address, however that is written", () => {
  const packet = packetFor("01:23:45:67:89:Ab")
  expect(packet.length).toBe(102)
  expect(packet.subarray(0, 6).toString("hex")).toBe("ffffffffffff")
  expect(packet.subarray(6).toString("hex")).toBe("0123456789ab".repeat(16))
  expect(packetFor("01-23-45-67-89-AB")).toEqual(packet)
})

it("everybody in a network has the address of its last bits", () => {
  expect(broadcastOf("10.1.2.3", "255.255.255.0")).toBe("10.1.2.255")
  expect(broadcastOf("172.16.5.1", "255.240.0.0")).toBe("172.31.255.255")
  expect(broadcastOf("10.200.0.1", "255.255.255.252")).toBe("10.200.0.3")
})

const suspended = (...suspendCommand: ReadonlyArray<string>) => {
  const home = { state: "/nowhere", logs: "/nowhere", config: "/nowhere" }
  const settings = { ...defaults, home, version: "test", hive: { ...defaults.hive, suspendCommand } }
  return Effect.runPromise(
    Effect.either(
      Effect.provide(
        Effect.flatMap(Suspend, ({ suspend }) => suspend),
        Layer.provide(layerCommand, Layer.succeed(CurrentSettings, settings))
      )
    )
  )
}

it("a machine sleeps by its command's words, which no shell reads", async () => {
  const socket = createSocket("udp4")
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve))
  const heard = new Promise<string>((resolve) => socket.once("message", (text) => resolve(text.toString())))
  const say = `require("dgram").createSocket("udp4").send(process.argv[1], ${socket.address().port}, "127.0.0.1", () => process.exit())`
  expect((await suspended(process.execPath, "-e", say, "$(reboot); now"))._tag).toBe("Right")
  expect(await heard).toBe("$(reboot); now")
  socket.close()
})

it("a machine that does not sleep says why", async () => {
  expect(await suspended("sh", "-c", "echo not allowed >&2; exit 3")).toMatchObject({
    left: { code: "INTERNAL", what: "this machine does not sleep by `sh -c echo not allowed >&2; exit 3`: not allowed" }
  })
  expect(await suspended("/no/such/program")).toMatchObject({ left: { code: "INTERNAL" } })
})
