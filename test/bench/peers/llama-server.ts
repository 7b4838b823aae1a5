/**
 * llama.cpp's own server as a peer: of the same commit as our engine (`npm run peer` builds it), with the same file,
 * slots and threads. A benchmark that cannot have it says why, and goes on without.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { peerProgram } from "../../../tools/llama-server.mjs"

export interface LlamaServerOptions {
  readonly model: string
  /** tokens of each slot */
  readonly context: number
  readonly slots?: number
  readonly threads?: number
  /** more of its own command line */
  readonly args?: ReadonlyArray<string>
}

export interface LlamaServer {
  readonly port: number
  readonly pid: number
  readonly url: string
  readonly stop: () => void
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** What it says until it has loaded the model is 503. */
const isReady = async (child: ChildProcess, url: string): Promise<void> => {
  while (child.exitCode === null) {
    const answer = await fetch(`${url}/health`).catch(() => undefined)
    if (answer?.ok === true) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`llama-server ended with ${child.exitCode}`)
}

/** A text says why there is none. */
export const startLlamaServer = async ({
  args = [],
  context,
  model,
  slots = 4,
  threads = 1
}: LlamaServerOptions): Promise<LlamaServer | string> => {
  const program = peerProgram()
  if (!existsSync(program)) return "llama-server is not there (npm run peer)"
  const port = await freePort()
  const numbers = { port, parallel: slots, threads, "threads-batch": threads, "ctx-size": context * slots }
  const child = spawn(
    program,
    [
      ...["--host", "127.0.0.1", "--model", model],
      ...Object.entries(numbers).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ...args
    ],
    { stdio: ["ignore", "ignore", "ignore"] }
  )
  const url = `http://127.0.0.1:${port}`
  await isReady(child, url)
  return { port, url, pid: child.pid ?? 0, stop: () => void child.kill("SIGKILL") }
}
