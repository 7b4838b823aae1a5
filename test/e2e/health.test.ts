/** /health while much is asked of the queen. In processor time of hers, which other programs of the machine do not change. */
import { readFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { afterEach, assert, it } from "vitest"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const open: Array<Socket> = []
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy()
})

/** milliseconds of processor time that a process has had */
const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

it.skipIf(process.platform !== "linux")(
  "/health costs the queen less than 500 ms under 100 inspectors, slow bodies and bodies of 20 MB",
  async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["up"])).code, 0)
    const pid = on.processes().find(({ role }) => role === "queen")?.pid ?? 0
    const token = String(on.token())
    let inspectors = 0
    const begin = (head: string) =>
      new Promise<Socket>((resolve, reject) => {
        const socket = connect(on.ports.queen, "127.0.0.1", () => {
          socket.write(`${head}\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n\r\n`)
          resolve(socket)
        })
        socket.on("error", reject).resume()
        socket.once("data", (data) => (inspectors += Number(data.toString().startsWith("HTTP/1.1 200 "))))
        open.push(socket)
      })
    for (let i = 0; i < 100; i++) await begin("GET /inspect/events HTTP/1.1")
    for (let i = 0; i < 20; i++) {
      const slow = await begin("POST /jobs HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 1000")
      slow.write('{"model":')
    }
    const body = JSON.stringify({ model: "nobody/has-this", prompt: "a ".repeat(10 * 1024 * 1024) })
    const large = Array.from({ length: 4 }, () =>
      on.fetch(`${on.queenUrl}/jobs`, { method: "POST", headers: { "content-type": "application/json" }, body })
    )
    const asked = { isOver: false }
    void Promise.allSettled(large).then(() => (asked.isOver = true))
    const costs: Array<number> = []
    while (!asked.isOver || costs.length < 10) {
      const before = cpuMs(pid)
      const answer = await fetch(`${on.queenUrl}/health`)
      assert.isTrue(answer.ok)
      await answer.text()
      costs.push(cpuMs(pid) - before)
    }
    assert.strictEqual(inspectors, 100)
    assert.isBelow(Math.max(...costs), 500, costs.join(" "))
  },
  60_000
)
