/** rbee's own daemons with the real engine, set up as a peer is: the same file, slots, threads and context. */
import { Agent, request as ask } from "node:http"
import { fileURLToPath } from "node:url"
import { type Machine, makeMachine } from "../../support/machine.ts"
import { cpuSeconds } from "../relay-parts/contenders.ts"
import type { LlamaServerOptions } from "./llama-server.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

export interface Engine {
  readonly machine: Machine
  /** how its model is called */
  readonly ref: string
  /** seconds of CPU of all its processes */
  readonly cpu: () => number
}

/** Its worker has loaded the model when this returns. */
export const startEngine = async ({ context, model, slots = 4, threads = 1 }: LlamaServerOptions): Promise<Engine> => {
  const machine = await makeMachine({
    programs: `${root}/dist`,
    env: {
      RBEE_WORKER_SLOTS: String(slots),
      RBEE_WORKER_THREADS: String(threads),
      RBEE_WORKER_CONTEXT: String(context)
    }
  })
  const ref = `file:${model}`
  const woken = await machine.rbee(["infer", "--quiet", "--model", ref, "--max-tokens", "1", "x"])
  if (woken.code !== 0) {
    await machine.dispose()
    throw new Error(woken.stderr)
  }
  const pids = machine.processes().map(({ pid }) => pid)
  return { machine, ref, cpu: () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0) }
}

/** Posts JSON over connections that are kept, and gives the whole answer. */
export const poster = (port: number, headers: Readonly<Record<string, string>> = {}) => {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const post = (path: string, fields: object): Promise<string> =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify(fields)
      const call = ask(
        {
          ...{ agent, host: "127.0.0.1", port, path, method: "POST" },
          headers: { ...headers, "content-type": "application/json", "content-length": Buffer.byteLength(body) }
        },
        (answer) => {
          let text = ""
          answer.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk))
          answer.on("error", reject).on("end", () => {
            const isDone = (answer.statusCode ?? 500) < 300
            if (isDone) resolve(text)
            else reject(new Error(`${path} answered ${answer.statusCode}: ${text.slice(0, 300)}`))
          })
        }
      )
      call.on("error", reject).end(body)
    })
  return { post, close: () => agent.destroy() }
}
