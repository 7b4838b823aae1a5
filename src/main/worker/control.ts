/**
 * The two pipes between a worker and its hive. The worker speaks on the control pipe; stdin is its leash: at its end
 * the hive is gone, however it went, and the worker with it.
 */
import { Socket } from "node:net"
import type { ControlMessage } from "../../machines/vocabulary/worker.ts"

/** bytes that may wait for a hive that does not listen; beats are worth nothing late */
const waitingMax = 64 * 1024

export const openControl = (fd: number): ((message: ControlMessage) => void) => {
  const pipe = new Socket({ fd, readable: false, writable: true })
  // the hive is gone: the leash says so too
  pipe.on("error", () => undefined)
  pipe.unref()
  return (message) => {
    if (pipe.destroyed || (message.t === "beat" && pipe.writableLength > waitingMax)) return
    pipe.write(`${JSON.stringify(message)}\n`)
  }
}

/** Started by hand: a person reads along. */
export const speakToStdout = (message: ControlMessage): void =>
  void process.stdout.write(`${JSON.stringify(message)}\n`)

/**
 * Dies with the hive, at once. Not by `exit`: that would wait for the batch in flight and tear the model down, which
 * the operating system does faster and never fails at.
 */
export const holdLeash = (): void => {
  const die = (): void => void process.kill(process.pid, "SIGKILL")
  process.stdin.on("end", die).on("error", die).on("close", die).resume()
}
