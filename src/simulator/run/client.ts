/** A client of the OpenAI interface: any program that is not ours, with its manners. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../protocol/endpoint.ts"
import { makeSseParser } from "../../protocol/sse.ts"
import { queenApi } from "../../protocol/queen/index.ts"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import type { SimProcess } from "../world/process.ts"
import type { RbeeError } from "../../machines/errors.ts"
import type { Cluster } from "./cluster.ts"
import { type JobPlan, promptOf } from "./plan.ts"
import { asKeeper } from "./commands.ts"
import { fact } from "../../machines/facts.ts"

/** What it got. */
export interface ClientRun {
  readonly process: SimProcess
  readonly job: JobPlan
  text: string
  /** the answer was said to be whole */
  isWhole: boolean
  /** it was told that the answer failed */
  failed: boolean
  /** it waited no longer, as its HTTP client does after a minute */
  gaveUp: boolean
}

interface Chunk {
  readonly error?: unknown
  readonly choices?: ReadonlyArray<{
    readonly delta?: { readonly content?: string }
    readonly message?: { readonly content?: string }
  }>
}

export const bootClient = (cluster: Cluster, process: SimProcess, job: JobPlan): ClientRun => {
  const run: ClientRun = { process, job, text: "", isWhole: false, failed: false, gaveUp: false }
  const take = (json: string): void => {
    // what a client of OpenAI expects; anything else shows as a text that is not the undisturbed one
    const { choices, error } = JSON.parse(json) as Chunk
    if (error !== undefined) run.failed = true
    run.text += choices?.[0]?.delta?.content ?? choices?.[0]?.message?.content ?? ""
  }
  const program = Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    if ((yield* launcher.find) === undefined) yield* launcher.wake
    const api = cluster.watch.queen(process, cluster.network.connect(process, launcher.url, queenApi))
    const reply = yield* api.v1Chat({
      model: job.model ?? "minillama",
      messages: [{ role: "user", content: promptOf(job) }],
      stream: job.client?.stream ?? true
    })
    if (reply._tag === "Json") {
      take(JSON.stringify(reply.body))
      run.isWhole = reply.status === 200
    }
    if (reply._tag === "Events") yield* read(process, run, reply.feed, take)
    return run.isWhole ? 0 : 1
  }).pipe(
    // an error is an answer, too
    Effect.catchAll((error) =>
      Effect.sync(() => {
        run.gaveUp = fact(error, "reason") === "TIMEOUT"
        return 1
      })
    ),
    asKeeper(cluster, process)
  )
  process.main(program)
  return run
}

const read = (
  process: SimProcess,
  run: ClientRun,
  feed: EventFeed,
  take: (json: string) => void
): Effect.Effect<void, RbeeError> => {
  const { leavesAfter = Infinity, pausesMs = 0 } = run.job.client ?? {}
  let pieces = 0
  const parse = makeSseParser(({ data }) => {
    if (data === "[DONE]") run.isWhole = !run.failed
    else take(data)
  })
  const leaves = Effect.async<void>((resume) => {
    const look = () => (pieces >= leavesAfter ? resume(Effect.void) : process.at(lookMs, look))
    if (leavesAfter !== Infinity) look()
  })
  const reading = feed({
    write: (text) => {
      parse(text)
      return ++pieces !== 1 || pausesMs === 0
    },
    drain: (resume) => void process.at(pausesMs, resume)
  })
  return Effect.raceFirst(reading, leaves)
}

/** how often it thinks about leaving, milliseconds */
const lookMs = 100
