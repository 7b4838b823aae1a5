/**
 * Conversations whose slots are kept in files, given to other workers, read again and thrown away, while workers, hives
 * and queens are killed, models unloaded and files deleted: each answer is that of a model that has read nothing before.
 * `npm test` has a few turns, `npm run proof -- turns` 10 000.
 */
import { assert, beforeAll, it } from "vitest"
import { SeededRandom } from "../../src/simulator/world/kernel/random.ts"
import { TINY, tiny } from "../support/gguf.ts"
import { type Machine, processesUnder } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { isWhole } from "../support/proof.ts"

const machine = useMachines()
const conversations = 8
const rounds = isWhole ? 1250 : 6
/** after which a conversation begins anew */
const turnsOfOne = 12
/** rounds between two strikes, on average */
const struckEvery = isWhole ? 12 : 2

interface Message {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}
interface Turn {
  readonly messages: ReadonlyArray<Message>
  readonly seed: number
  readonly text: string
  readonly prompt: number
  readonly cached: number
}

let model: string
beforeAll(async () => {
  const shape = { ...TINY, layers: 2, width: 256, heads: 4, feedForward: 512, context: 16_384, type: "q8_0" } as const
  model = `file:${await tiny(shape)}`
})

const words = (count: number, of: string): string => Array.from({ length: count }, (_, i) => `${of}${i % 31}`).join(" ")

interface Completion {
  readonly choices: ReadonlyArray<{ readonly message: { readonly content: string } }>
  readonly usage: { readonly prompt_tokens: number; readonly prompt_tokens_details: { readonly cached_tokens: number } }
}

/** As clients do: what broke with its queen is asked again. */
const post = async (on: Machine, body: string): Promise<Completion> => {
  for (;;) {
    const headers = { "content-type": "application/json" }
    const answer = await on
      .fetch(`${on.queenUrl}/v1/chat/completions`, { method: "POST", headers, body })
      .catch(() => undefined)
    const text = await answer?.text().catch(() => undefined)
    if (answer?.status === 200 && text !== undefined) return JSON.parse(text) as Completion
    // a queen that goes says so
    assert.include([undefined, 503], answer?.status, text)
    await on.rbee(["up"])
  }
}

const turn = async (on: Machine, messages: ReadonlyArray<Message>, seed: number): Promise<Turn> => {
  const body = { model, messages, max_tokens: 16, temperature: 1, seed }
  const { choices, usage } = await post(on, JSON.stringify(body))
  const cached = usage.prompt_tokens_details.cached_tokens
  return { messages, seed, text: choices[0]?.message.content ?? "", prompt: usage.prompt_tokens, cached }
}

const killed = (on: Machine, role: string, random: SeededRandom) => {
  const all = processesUnder(on.home).filter((one) => one.role === role)
  const one = all[Math.floor(random.next() * all.length)]
  if (one !== undefined) process.kill(one.pid, "SIGKILL")
  return Promise.resolve()
}

/** The more often, the cheaper it is for a cluster. */
const strikes: ReadonlyArray<(on: Machine, random: SeededRandom) => Promise<unknown>> = [
  ...Array.from({ length: 4 }, () => (on: Machine, random: SeededRandom) => killed(on, "worker", random)),
  (on, random) => killed(on, "hive", random),
  (on, random) => killed(on, "queen", random),
  (on) => on.rbee(["stop", model]),
  (on) => on.rbee(["cache", "clear"])
]

/** Two devices with room for one worker each, of fewer slots than there are conversations. */
const cluster = (slots: string, parkMb: string, gpus: number) =>
  machine({
    env: {
      RBEE_WORKER_THREADS: "1",
      RBEE_WORKER_SLOTS: slots,
      RBEE_WORKER_CONTEXT: "4096",
      RBEE_WORKER_PARK_MB: parkMb,
      RBEE_HIVE_GPUS: JSON.stringify(
        Array.from({ length: gpus }, (_, at) => ({ id: `gpu${at}`, name: "RTX 3060", vram_mb: 180 }))
      )
    }
  })

/** All turns, those of one round at once, and what is struck while they are asked. */
const played = async (on: Machine, random: SeededRandom): Promise<ReadonlyArray<Turn>> => {
  const all: Array<Turn> = []
  const said = Array.from({ length: conversations }, (): ReadonlyArray<Message> => [])
  for (let round = 0; round < rounds; round++) {
    const asked = said.map(async (before, i) => {
      const seed = round * conversations + i
      const begun = before.length < 2 * turnsOfOne ? before : []
      const opening: ReadonlyArray<Message> = [{ role: "system", content: words(8 + 4 * i, `rule${seed}-`) }]
      const question: Message = { role: "user", content: `${words(1 + (seed % 17), "ask")} ${seed}` }
      const done = await turn(on, [...(begun.length === 0 ? opening : begun), question], seed)
      all.push(done)
      said[i] = [...done.messages, { role: "assistant", content: done.text }]
    })
    const strike = strikes[Math.floor(random.next() * strikes.length * struckEvery)]
    await Promise.all([strike?.(on, random), ...asked])
  }
  return all
}

/** By one slot, nothing kept, and another conversation in it before each: all is read anew. */
const alone = async (on: Machine, { messages, seed }: Turn): Promise<string> => {
  await turn(on, [{ role: "user", content: words(3, "other") }], 1)
  const { cached, text } = await turn(on, messages, seed)
  assert.isBelow(cached, 32)
  return text
}

it(
  "is answered as by a model that has read nothing before, whatever was kept, given to others, struck or deleted",
  async () => {
    const turns = await played(await cluster("2", "64", 2), new SeededRandom(7))
    const cold = await cluster("1", "0", 1)
    const wrong: Array<number> = []
    for (const one of turns) if ((await alone(cold, one)) !== one.text) wrong.push(one.seed)
    assert.deepEqual(wrong, [])
    const sum = (of: "prompt" | "cached") => turns.reduce((total, one) => total + one[of], 0)
    console.log(`${turns.length} turns, ${sum("prompt")} tokens of prompts, ${sum("cached")} of them not read again`)
    assert.isAbove(sum("cached"), 0.4 * sum("prompt"))
  },
  isWhole ? 7_200_000 : 120_000
)
