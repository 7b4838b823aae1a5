/**
 * The most that a real worker process has taken of the machine's memory, in bytes, once prompts have filled all of its
 * slots. Not what it holds at that moment: a kernel that is short of room, or thrifty, takes pages of a mapped file back.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { identityOf, memoryOf } from "../../src/layers/process/identity.ts"
import type { WorkerPlan } from "../../src/layers/worker-launcher/index.ts"
import { ControlMessage } from "../../src/machines/vocabulary/worker.ts"
import * as Schema from "effect/Schema"

export interface Loading extends Pick<WorkerPlan, "modelPath" | "slots" | "kvType"> {
  /** tokens a slot, at most what the model was trained with */
  readonly context: number
}

const decode = Schema.decodeUnknownSync(Schema.parseJson(ControlMessage))

/** A sign for each round, so that nothing of an earlier one is reused: one is at most one token. */
const signs = ["~", "^", "|", "="] as const
/** With the answer and its control tokens it fits. */
const answerTokens = 4
const promptFor = (tokens: number, sign: string): string => sign.repeat(tokens - answerTokens - 4)

/** Turns of a conversation, each with the one before it for its beginning: a recurrent model keeps copies of its states. */
const turns = 4
const fill: Fill = async (url, context, name, sign) => {
  for (let turn = 1; turn <= turns; turn++)
    await say(url, Math.floor((context * turn) / turns), `${name}-${turn}`, sign)
}

const say = async (url: string, tokens: number, name: string, sign: string): Promise<void> => {
  const answer = await fetch(`${url}/infer`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      job_id: `fill-${name}`,
      epoch: 1,
      prompt: promptFor(tokens, sign),
      max_tokens: answerTokens,
      ignore_eos: true,
      stream: false
    })
  })
  if (!answer.ok) throw new Error(`the worker refused: ${await answer.text()}`)
}

type Fill = (url: string, context: number, name: string, sign: string) => Promise<void>

/** One that writes nothing reads texts that fill its context. */
export const measureIn: Fill = async (url, context, name) => {
  const answer = await fetch(`${url}/infer`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      job_id: `fill-${name}`,
      epoch: 1,
      embed: [1, 2].map((token) => Array.from({ length: context }, () => 50 + token)),
      stream: false
    })
  })
  if (!answer.ok) throw new Error(`the worker refused: ${await answer.text()}`)
}

/** Linux tells the most; elsewhere what is held has to do. */
const mostOf = (pid: number): number => {
  if (process.platform === "linux") {
    const most = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    if (most !== undefined) return Number(most) * 1024
  }
  const id = identityOf(pid)
  const held = id === undefined ? undefined : memoryOf(id)?.resident
  if (held === undefined) throw new Error("the worker is gone")
  return held
}

/**
 * Filled again for as long as that takes more: on a busy machine two slots' prompts may come one after the other, where
 * the largest batch is of both.
 */
const whenFull = async (pid: number, fillAll: (round: number, sign: string) => Promise<unknown>): Promise<number> => {
  let most = 0
  for (const [round, sign] of signs.entries()) {
    await fillAll(round, sign)
    const now = mostOf(pid)
    if (now < most * 1.005) return now
    most = now
  }
  return most
}

/** `program`: the bundled worker program. */
export const workerMemory = async (program: string, loading: Loading, fillSlot: Fill = fill): Promise<number> => {
  const plan = {
    ...loading,
    workerId: "w1",
    instance: "worker-1",
    backend: "cpu",
    modelRef: "measured",
    portHint: 0,
    host: "127.0.0.1"
  }
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], {
    stdio: ["ignore", "pipe", "ignore"]
  })
  try {
    const url = await new Promise<string>((resolve, reject) => {
      let bound = ""
      child.once("exit", () => reject(new Error("the worker ended before it was ready")))
      createInterface(child.stdout).on("line", (line) => {
        const message = decode(line)
        if (message.t === "failed") reject(new Error(message.what))
        if (message.t === "bound") bound = message.url
        if (message.t === "ready") resolve(bound)
      })
    })
    const fillAll = (round: number, sign: string) =>
      Promise.all(
        Array.from({ length: loading.slots }, (_, slot) => fillSlot(url, loading.context, `${round}-${slot}`, sign))
      )
    return await whenFull(child.pid ?? 0, fillAll)
  } finally {
    child.kill("SIGKILL")
  }
}
