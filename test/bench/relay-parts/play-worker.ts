/**
 * The scripted worker as a program that a real hive starts in place of its own `worker.js`: it reads the same plan,
 * speaks on the same control pipe and is held by the same leash, so that queen and hive do all that they do in
 * production.
 */
import type { AddressInfo } from "node:net"
import * as Either from "effect/Either"
import { readArgument } from "../../../src/main/worker/argument.ts"
import { holdLeash, openControl, speakToStdout } from "../../../src/main/worker/control.ts"
import { type Running, serveScripted } from "./scripted-worker.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"

const context = 32_768

/** `slots`: answers at once */
export const playWorker = (slots: number): void => {
  const argument = readArgument(process.argv[2])
  if (Either.isLeft(argument)) throw new Error(argument.left)
  const { controlFd, host } = argument.right
  if (controlFd !== undefined) holdLeash()
  const tell = controlFd === undefined ? speakToStdout : openControl(controlFd)

  const running = new Map<string, Running>()
  const server = serveScripted(running)
  server.listen(0, host, () => {
    // a server that listens on a port
    const { port } = server.address() as AddressInfo
    tell({ t: "bound", port, url: `http://${host}:${port}` })
    tell({ t: "ready", backend: "CPU", context, slots })
  })

  let told = 0
  setInterval(() => {
    const infers = [...running.values()].map(({ epoch, jobId, next }) => ({ job_id: JobId.make(jobId), epoch, next }))
    const tokens = infers.reduce((sum, { next }) => sum + next, 0)
    tell({ t: "beat", busy: infers.length, tokens_out: tokens, progress: ++told, infers })
  }, 1000)
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => process.exit(0))
}
