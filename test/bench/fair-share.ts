/**
 * Fair shares for real: the bundled model on this machine's CPU, daemons and all. First ten keys that always want more, one
 * of which sends ten times the requests; then keys that ask now and then, alone, beside one more of their kind, and beside one
 * that always asks. `fair-share [SECONDS]`: of each, 60 where nothing is said.
 */
import { makeMachine } from "../support/machine.ts"
import { quantile, report, type Row } from "./support.ts"

const messages = [
  { role: "user", content: "Tell me about bees, please: what they eat, where they live, and whom they like." }
]
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const jain = (values: ReadonlyArray<number>): number =>
  values.reduce((sum, one) => sum + one, 0) ** 2 / (values.length * values.reduce((sum, one) => sum + one * one, 0))

interface Usage {
  readonly keys: ReadonlyArray<{ readonly key: string; readonly days: ReadonlyArray<{ readonly device_s: number }> }>
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const seconds = Number(args[0] ?? 60)
  // as slow as a model that somebody would use; the pace is of all its answers together, so that one at a time is what it is for
  const on = await makeMachine({ env: { RBEE_WORKER_MAX_TOKENS_PER_S: "50", RBEE_WORKER_SLOTS: "1" } })
  try {
    const keyOf = async (name: string): Promise<string> => (await on.rbee(["keys", "add", name])).stdout.trim()
    /** Milliseconds to the first token of an answer, which is read to its end. */
    const ask = async (key: string, max_tokens: number): Promise<number> => {
      const began = performance.now()
      const answer = await fetch(`${on.queenUrl}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify({ model: "minillama", max_tokens, stream: true, messages })
      })
      let first: number | undefined
      for await (const piece of answer.body ?? []) {
        if (first === undefined && Buffer.from(piece).includes('"content"')) first = performance.now() - began
      }
      return first ?? performance.now() - began
    }
    const during = async (work: ReadonlyArray<() => Promise<unknown>>): Promise<void> => {
      const until = performance.now() + 1000 * seconds
      await Promise.all(
        work.map(async (one) => {
          while (performance.now() < until) await one()
        })
      )
    }
    const backlogged = (key: string, many: number) => Array.from({ length: many }, () => () => ask(key, 40))

    const ten = await Promise.all(Array.from({ length: 10 }, (_, at) => keyOf(`ten-${at}`)))
    await ask(ten[0] ?? "", 1)
    const asking = during(ten.flatMap((key, at) => backlogged(key, at === 0 ? 20 : 2)))
    // while all of them still want more
    await pause(1000 * seconds)
    const usage = (await (await on.fetch(`${on.queenUrl}/v1/usage`)).json()) as Usage
    await asking
    const had = ten.map((_, at) => usage.keys.find(({ key }) => key === `ten-${at}`)?.days[0]?.device_s ?? 0)

    const light = await Promise.all(Array.from({ length: 9 }, (_, at) => keyOf(`light-${at}`)))
    const firstTokens = async (count: number, beside: ReadonlyArray<() => Promise<unknown>>): Promise<number> => {
      const times: Array<number> = []
      const seldom = light.slice(0, count).map((key, at) => async () => {
        // not before there is a share to be ahead of: in the first seconds nobody has had more than another
        await pause((times.length < count ? 10_000 : 1000) + ((at * 7919) % 4000))
        times.push(await ask(key, 4))
        await pause(5000)
      })
      await during([...seldom, ...beside])
      return quantile(times, 0.95)
    }
    const [neighbour, greedy] = [await keyOf("neighbour"), await keyOf("greedy")]
    const alone = await firstTokens(1, [])
    const equal = await firstTokens(9, [async () => void (await ask(neighbour, 4), await pause(8000))])
    const beside = await firstTokens(9, backlogged(greedy, 20))
    const most = Math.min(1.3 * equal, 2 * alone)
    const rows: ReadonlyArray<Row> = [
      { what: "Jain's index of device-seconds, ten backlogged keys", value: jain(had), unit: "", target: "≥ 0.95" },
      { what: "p95 to the first token, alone", value: alone, unit: "ms" },
      { what: "beside as many equal ones", value: equal, unit: "ms" },
      { what: "beside a greedy one", value: beside, unit: "ms", target: `≤ ${Math.round(most)} ms` }
    ]
    report("fair-share", rows, { had, alone, equal, beside })
  } finally {
    await on.dispose()
  }
}
