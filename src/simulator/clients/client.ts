/** A client of one of the surfaces: any program that is not ours, with its manners. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../protocol/endpoint.ts"
import { makeSseParser } from "../../protocol/sse.ts"
import { queenApi } from "../../protocol/queen/index.ts"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import type { SimProcess } from "../world/process.ts"
import type { RbeeError } from "../../machines/errors.ts"
import type { Cluster } from "../run/cluster.ts"
import { type JobPlan, promptOf } from "../run/plan.ts"
import { asKeeper } from "../run/commands.ts"
import { fact } from "../../machines/facts.ts"
import { type Heard, nothing } from "./heard.ts"
import { measuringSurfaces, textsOf } from "./measuring.ts"
import { makeLinesParser, type SurfaceEvent, surfaces as answering, tools } from "./surfaces.ts"

/** What it got. */
export interface ClientRun {
  readonly process: SimProcess
  readonly job: JobPlan
  readonly heard: Heard
  /** the answer was said to be whole */
  isWhole: boolean
  /** it waited no longer, as its HTTP client does after a minute */
  gaveUp: boolean
}

/** The call of each surface. */
const calls = {
  chat: "v1Chat",
  responses: "v1CreateResponse",
  messages: "v1Messages",
  ollama: "ollamaChat",
  embeddings: "v1Embeddings",
  rerank: "v1Rerank",
  score: "v1Score"
} as const
const surfaces = { ...answering, ...measuringSurfaces }

export const bootClient = (cluster: Cluster, process: SimProcess, job: JobPlan): ClientRun => {
  const run: ClientRun = { process, job, heard: nothing(), isWhole: false, gaveUp: false }
  const { stream = true, surface: name = "chat" } = job.client ?? {}
  const surface = surfaces[name]
  const take = (event: SurfaceEvent): void => {
    surface.take(run.heard, event)
    run.isWhole = run.heard.ends === 1 && run.heard.wrongs.length === 0
  }
  const body = surface.body({
    model: job.model ?? "minillama",
    text: promptOf(job),
    texts: textsOf({ text: promptOf(job) }, job.texts ?? 0),
    thinks: cluster.plan.speech !== undefined,
    ...(job.calls === true ? { tools } : {})
  })
  const program = Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    if ((yield* launcher.find) === undefined) yield* launcher.wake
    const api = cluster.watch.queen(process, cluster.network.connect(process, launcher.url, queenApi))
    // as it crosses the wire: without the fields that have no value
    const sent = JSON.parse(JSON.stringify(job.texts === undefined ? { ...body, stream } : body)) as typeof body
    const reply = yield* api[calls[name]](sent)
    if (reply._tag === "Json") {
      take({ data: JSON.stringify(reply.body), event: "", id: undefined })
      run.isWhole = reply.status === 200
    }
    if (reply._tag === "Events")
      yield* read(process, job, reply.feed, surface.isLines === true ? makeLinesParser(take) : makeSseParser(take))
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
  job: JobPlan,
  feed: EventFeed,
  parse: (text: string) => void
): Effect.Effect<void, RbeeError> => {
  const { leavesAfter = Infinity, pausesMs = 0 } = job.client ?? {}
  let pieces = 0
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
