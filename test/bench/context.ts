/**
 * Context that survives: four agents with long prompts, two a model, so many turns each; on the way a model is unloaded, a
 * worker killed, a hive killed. How many tokens of the prompts were not read again, against the same with nothing kept on
 * disk; and every answer against that of a model that read nothing before. `context [TURNS]`
 */
import { fileURLToPath } from "node:url"
import { TINY, tiny } from "../support/gguf.ts"
import { eventually, type Machine, makeMachine } from "../support/machine.ts"
import { median, report, timed } from "./support.ts"

const programs = `${fileURLToPath(new URL("../..", import.meta.url))}dist`
const agents = 4

interface Message {
  readonly role: "system" | "user" | "assistant"
  readonly content: string
}

interface Turn {
  readonly messages: ReadonlyArray<Message>
  readonly model: string
  readonly text: string
  readonly prompt: number
  readonly cached: number
  readonly ms: number
}

const words = (count: number, of: string): string => Array.from({ length: count }, (_, i) => `${of}${i % 31}`).join(" ")

const completed = async (on: Machine, model: string, messages: ReadonlyArray<Message>): Promise<Turn> => {
  const { ms, value } = await timed(async () => {
    const answer = await on.fetch(`${on.queenUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, messages, max_tokens: 24, temperature: 0 })
    })
    if (answer.status !== 200) throw new Error(await answer.text())
    return (await answer.json()) as {
      readonly choices: ReadonlyArray<{ readonly message: { readonly content: string } }>
      readonly usage: {
        readonly prompt_tokens: number
        readonly prompt_tokens_details: { readonly cached_tokens: number }
      }
    }
  })
  const { prompt_tokens: prompt, prompt_tokens_details: details } = value.usage
  return { messages, model, text: value.choices[0]?.message.content ?? "", prompt, cached: details.cached_tokens, ms }
}

const killed = async (on: Machine, role: "worker" | "hive"): Promise<void> => {
  for (const { pid } of on.processes().filter((one) => one.role === role)) process.kill(pid, "SIGKILL")
  await eventually(async () => (await on.fetch(`${on.queenUrl}/health`)).ok, "a queen is there")
}

/** Before which turn what happens, of twenty. */
const happens = (on: Machine, models: ReadonlyArray<string>): ReadonlyMap<number, () => Promise<unknown>> =>
  new Map<number, () => Promise<unknown>>([
    [5, () => on.rbee(["stop", models[0] ?? ""])],
    [10, () => killed(on, "worker")],
    [15, () => killed(on, "hive")]
  ])

/** A cluster and its agents. */
const starting = async (models: ReadonlyArray<string>, turns: number, parkMb: string) => {
  const on = await makeMachine({
    programs,
    env: { RBEE_WORKER_THREADS: "1", RBEE_WORKER_SLOTS: "2", RBEE_WORKER_CONTEXT: "16384", RBEE_WORKER_PARK_MB: parkMb }
  })
  const all: Array<Turn> = []
  const said = Array.from({ length: agents }, (_, i): ReadonlyArray<Message> => [
    { role: "system", content: words(400, `rule${i}-`) }
  ])
  await on.rbee(["up"])
  /** The next turn of every agent, all at once. */
  const play = async (turn: number): Promise<void> => {
    await happens(on, models).get((turn * 20) / turns)?.()
    await Promise.all(
      said.map(async (before, i) => {
        const messages = [...before, { role: "user" as const, content: `${words(20, "ask")} ${turn}` }]
        const done = await completed(on, models[i % models.length] ?? "", messages)
        all.push(done)
        said[i] = [...messages, { role: "assistant", content: done.text }]
      })
    )
  }
  return { all, play, dispose: on.dispose }
}

/** The turns of both, which take turns: one with files, one without. */
const played = async (models: ReadonlyArray<string>, turns: number) => {
  const kept = await starting(models, turns, "2000")
  const lost = await starting(models, turns, "0")
  try {
    for (let turn = 0; turn < turns; turn++)
      for (const one of turn % 2 === 0 ? [kept, lost] : [lost, kept]) {
        await one.play(turn)
        // an agent runs its tools: what its slot holds is written meanwhile
        await new Promise((resolve) => setTimeout(resolve, 1500))
      }
    return { kept: kept.all, lost: lost.all }
  } finally {
    await kept.dispose()
    await lost.dispose()
  }
}

/** How many of these answers are not those of a model that has read nothing before. */
const wrong = async (turns: ReadonlyArray<Turn>): Promise<number> => {
  const on = await makeMachine({
    programs,
    env: { RBEE_WORKER_THREADS: "1", RBEE_WORKER_SLOTS: "1", RBEE_WORKER_CONTEXT: "16384", RBEE_WORKER_PARK_MB: "0" }
  })
  try {
    await on.rbee(["up"])
    let count = 0
    for (const { messages, model, text } of turns) {
      // what the slot held is another conversation's then
      await completed(on, model, [{ role: "user", content: words(40, "other") }])
      if ((await completed(on, model, messages)).text !== text) count++
    }
    return count
  } finally {
    await on.dispose()
  }
}

const share = (turns: ReadonlyArray<Turn>): number =>
  turns.reduce((sum, { cached }) => sum + cached, 0) / turns.reduce((sum, { prompt }) => sum + prompt, 0)
const seconds = (turns: ReadonlyArray<Turn>): number => turns.reduce((sum, { ms }) => sum + ms, 0) / 1000

/** Of turns that nothing happened to: what the files cost where they are of no use, and what they spare where they are. */
const quiet = (turns: ReadonlyArray<Turn>): ReadonlyArray<number> =>
  turns.filter(({ cached, prompt }) => cached > prompt * 0.9).map(({ ms }) => ms)
const cold = (turns: ReadonlyArray<Turn>): ReadonlyArray<number> =>
  turns.slice(agents).flatMap(({ cached, ms }) => (cached === 0 ? [ms] : []))

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const turns = Number(args[0] ?? 20)
  const models = await Promise.all(
    [1, 2].map(
      async (seed) =>
        `file:${await tiny({ ...TINY, seed, layers: 2, width: 256, heads: 4, feedForward: 512, context: 16_384, type: "q8_0" })}`
    )
  )
  const { kept, lost } = await played(models, turns)
  const checked = kept.filter((_, i) => i % 4 === 3)
  const errors = await wrong(checked)
  report(
    "context",
    [
      { what: "prompt tokens", value: kept.reduce((sum, one) => sum + one.prompt, 0), unit: "tokens" },
      { what: "of them not read again", value: 100 * share(kept), unit: "%", target: "≥ 90" },
      { what: "the same with nothing kept on disk", value: 100 * share(lost), unit: "%" },
      { what: "asking, in all", value: seconds(kept), unit: "s" },
      { what: "the same with nothing kept on disk", value: seconds(lost), unit: "s" },
      { what: "a turn whose context is in its slot", value: median(quiet(kept)), unit: "ms" },
      { what: "the same with nothing kept on disk", value: median(quiet(lost)), unit: "ms" },
      { what: "a turn whose prompt is read as a whole", value: median(cold(lost)), unit: "ms" },
      { what: `answers that are not those of a cold model, of ${checked.length}`, value: errors, unit: "", target: "0" }
    ],
    {
      kept: kept.map(({ cached, ms, prompt }) => ({ cached, ms, prompt })),
      lost: lost.map(({ cached, ms, prompt }) => ({ cached, ms, prompt }))
    }
  )
}
