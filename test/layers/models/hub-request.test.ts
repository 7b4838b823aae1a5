/** One answer of a hub, on real sockets. */
import { createServer } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { bodyOf, follow } from "../../../src/layers/models/hugging-face/request.ts"

const open: Array<() => void> = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** Answers everybody with `body`, says nothing more, and leaves at once; `left` when all of it is out. */
const hasty = async (body: Uint8Array) => {
  let gone = () => {}
  const left = new Promise<void>((resolve) => (gone = resolve))
  const server = createServer((socket) => {
    socket.on("error", () => {})
    socket.once("data", () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`)
      socket.end(body, gone)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  open.push(() => server.close())
  const address = server.address()
  const url = new URL(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`)
  return { left, url }
}

describe("The body of a hub's answer", () => {
  it("is whole for a reader who is slower than the hub, which has left before it is read", async () => {
    const body = new Uint8Array(64 * 1024).fill(7)
    const { left, url } = await hasty(body)
    const ask = { method: "GET", token: undefined, origin: url.origin, stallMs: 5_000, answerMs: 5_000 } as const
    const answer = await follow(url, ask)
    await left
    // all of it, its end too, has been heard of before the first byte is taken
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    let bytes = 0
    for await (const chunk of bodyOf(answer, 5_000)) bytes += chunk.length
    expect(bytes).toBe(body.length)
  })
})
