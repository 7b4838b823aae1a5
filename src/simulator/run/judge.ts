/** What must hold once all is answered: of the journal, of what keepers printed, and of what clients heard. */
import { foldOf, isBeginningOf, isWholly, type Told } from "../clients/meaning.ts"
import type { ClientRun } from "../clients/client.ts"
import { type Heard, textOf } from "../clients/heard.ts"
import { formOf, speeches } from "../world/speech.ts"
import { added, chargeOf, noUsage } from "../../machines/people/charge.ts"
import { JobId } from "../../machines/vocabulary/ids.ts"
import type { UsageCounts, UsageDay } from "../../machines/vocabulary/people/usage.ts"
import { tools } from "../clients/surfaces.ts"
import type { Cluster } from "./cluster.ts"
import type { KeeperRun } from "./commands.ts"
import { isExplained } from "./explained.ts"
import { type Expected, terminalOf } from "./jobs.ts"
import { type JobPlan, type Plan, promptOf } from "./plan.ts"

/** The invariant that broke, and what was seen. */
export interface Broken {
  readonly invariant: string
  readonly message: string
}

type AllExpected = ReadonlyMap<string, Expected>

const hasExcuse = (plan: Plan): boolean =>
  plan.faults.length > 0 || new Set(plan.jobs.map(({ model }) => model)).size > 1

const lostId = JobId.make("job-lost")

const promptIn = ({ request: { embed, messages, rerank } }: Pick<Told, "request">): string =>
  messages?.[0]?.content ?? rerank?.query ?? String(embed?.[0] ?? "")

/** Its tokens, as whoever wrote the first of them wrote. */
const tokensOf = (expected: Expected | undefined, { facts }: Pick<Told, "facts">): ReadonlyArray<string> =>
  (facts.form === undefined ? expected?.plain : expected?.tokens) ?? []

/** What the jobs should say: of an answer that filled its worker's context, and had nowhere to go on, its beginning. */
export const withCutAnswers = (cluster: Cluster, plan: Plan, expected: AllExpected): AllExpected => {
  if (!hasExcuse(plan) || plan.jobs.every(({ words }) => words === undefined)) return expected
  const journal = cluster.journal.peek()
  const cut = journal.jobs(1000).flatMap((job): Array<[string, Expected]> => {
    const isCut = terminalOf(journal, job.id).data.includes('"finish_reason":"length"')
    const { texts } = journal.tokens(job.id)
    const isBeginning = tokensOf(expected.get(promptIn(job)), job)
      .join("")
      .startsWith(texts.join(""))
    return isCut && isBeginning ? [[promptIn(job), { tokens: texts, plain: texts }]] : []
  })
  return new Map([...expected, ...cut])
}

/** Every job has one end, and its text is the undisturbed one, or the beginning of it where it failed. */
export const judge = (
  cluster: Cluster,
  plan: Plan,
  expected: AllExpected,
  keepers: ReadonlyArray<KeeperRun>,
  clients: ReadonlyArray<ClientRun>
): Broken | undefined => {
  const journal = cluster.journal.peek()
  for (const job of journal.jobs(1000)) {
    const prompt = promptIn(job)
    const whole = tokensOf(expected.get(prompt), job).join("")
    const planned = plan.jobs.find((each) => promptOf(each) === prompt)
    const client = clients.find((each) => each.job === planned)
    const tokens = journal.tokens(job.id).texts
    const text = tokens.join("")
    const end = terminalOf(journal, job.id)
    if (end.count !== 1)
      return { invariant: "one terminal event", message: `${job.id} has ${end.count} in the journal: ${end.names}` }
    const fits = end.names === "done" ? text === whole : whole.startsWith(text)
    if (!fits)
      return { invariant: "the undisturbed text", message: `${job.id} (${end.names}): ${text} is not ${whole}` }
    if (end.names === "done" && !tellsItsFold(job, tokens, end.data))
      return { invariant: theFold, message: `${job.id} ended with ${end.data}; its tokens are ${text}` }
    if (end.names !== "done" && !isExplained(plan, planned, end.names, end.data, client))
      return {
        invariant: plan.faults.length === 0 ? "no failure without a fault" : "a failure has its fault",
        message: `${job.id} ended ${end.names}: ${end.data}`
      }
    const shown = (cluster.watch.shown.get(job.id) ?? []).join("")
    if (!text.startsWith(shown))
      return { invariant: "what was read is kept", message: `${job.id}: readers saw ${shown}, the journal has ${text}` }
  }
  const answered = journal.jobs(1000).filter(({ facts }) => facts.state === "done").length
  // the other is refused, or has the room once it is free again
  if (plan.isRace === true && answered === 0)
    return { invariant: "the last room is for one", message: "neither of two jobs was answered" }
  return judgeCharges(journal) ?? judgeKeepers(plan, expected, keepers)
}

/** However often it was decoded, moved or taken over: what is charged is what its answer and its prompt have. */
const judgeCharges = (journal: ReturnType<Cluster["journal"]["peek"]>): Broken | undefined => {
  const sum = (days: ReadonlyArray<UsageDay>) => {
    const { completion_tokens, jobs, prompt_tokens } = days.reduce<UsageCounts>(added, noUsage)
    return `${jobs} jobs, ${prompt_tokens} tokens of prompts, ${completion_tokens} of answers`
  }
  const charged = sum(journal.usage(""))
  const owed = sum(
    journal.jobs(1000).flatMap(({ facts, id }) => chargeOf({ ...facts, tokens: journal.tokens(id).texts.length }) ?? [])
  )
  return charged === owed
    ? undefined
    : { invariant: "each job is charged once", message: `charged are ${charged}; the jobs have ${owed}` }
}

const theFold = "the deltas of a job are the fold of its tokens"
const meantBy = ({ texts }: JobPlan): string =>
  texts === undefined ? theFold : "each text is measured once, in its place"

/** What it meant stands in its terminal event, where that is more than its text. */
const tellsItsFold = (job: Told, tokens: ReadonlyArray<string>, data: string): boolean => {
  const { message } = JSON.parse(data) as { readonly message?: { readonly content: string } }
  const meant = foldOf(job, tokens)
  return job.facts.form === undefined ? message === undefined : message?.content === textOf(meant, "content")
}

const judgeKeepers = (plan: Plan, expected: AllExpected, keepers: ReadonlyArray<KeeperRun>): Broken | undefined => {
  for (const { process, stdout, stderr } of keepers) {
    if (!hasExcuse(plan) && process.status?.code !== 0)
      return {
        invariant: "no failure without a fault",
        message: `${process.name} exited ${process.status?.code}: ${stderr}`
      }
    if (process.status?.code !== 0) continue
    const job = plan.jobs.find(({ id }) => process.name.includes(`/keeper-${id}#`))
    const { plain = [], tokens = [] } = (job === undefined ? undefined : expected.get(promptOf(job))) ?? {}
    const texts = [tokens, plain].map((each) => each.join("").trimEnd())
    if (!texts.includes(stdout.trimEnd()))
      return { invariant: "the undisturbed text", message: `${process.name} printed ${stdout}, not ${texts[0]}` }
  }
  return undefined
}

/** What may have been heard of it. What her machine's fall took along was maybe begun in another form than now. */
const readingsOf = (plan: Plan, told: Told, expected: Expected | undefined): ReadonlyArray<Heard> => {
  const speech = plan.speech === undefined ? undefined : speeches[plan.speech.form]
  const { form: _, ...others } = told.facts
  const asText = { ...told, facts: others }
  const mayDiffer = speech !== undefined && plan.faults.some(({ kind }) => kind === "crash-machine")
  const inForm = mayDiffer ? [{ ...told, facts: { ...others, form: formOf(speech) } }, asText] : []
  return [told, ...inForm].map((each) => foldOf(each, tokensOf(expected, each)))
}

/** The same of a job that her machine's fall took along, whatever its id was, and with it those of its calls. */
const lostReadingsOf = (plan: Plan, { calls }: JobPlan, expected: Expected | undefined): ReadonlyArray<Heard> => {
  const told = { id: lostId, request: calls === true ? { tools } : {}, facts: {} }
  return readingsOf(plan, told, expected).map((heard) => ({
    ...heard,
    parts: heard.parts.map((part) => (part.kind === "call" ? { ...part, id: "" } : part))
  }))
}

/** A client that was told of a whole answer has all that the undisturbed one means; else it has its beginning. */
export const judgeClients = (
  cluster: Cluster,
  plan: Plan,
  expected: AllExpected,
  clients: ReadonlyArray<ClientRun>
): Broken | undefined => {
  const jobs = cluster.journal.peek().jobs(1000)
  for (const { heard, isWhole, job, process } of clients) {
    const told = jobs.find((each) => promptIn(each) === promptOf(job))
    const said = expected.get(promptOf(job))
    const meant = told === undefined ? lostReadingsOf(plan, job, said) : readingsOf(plan, told, said)
    const fits = (each: Heard): boolean => (isWhole ? isWholly(heard, each) : isBeginningOf(heard, each))
    const seen = JSON.stringify(heard)
    // her machine's fall may take a job along that was told to its end: the journal was not yet in the file
    const mayBeLost = plan.faults.some(({ kind }) => kind === "crash-machine")
    if (told === undefined && !mayBeLost ? isWhole : !meant.some(fits))
      return { invariant: meantBy(job), message: `${process.name} heard ${seen}, not ${JSON.stringify(meant[0])}` }
    const isAlone = new Set(plan.jobs.map(({ model }) => model)).size === 1
    if (!isWhole && plan.faults.length === 0 && isAlone && job.client?.leavesAfter === undefined)
      return { invariant: "no failure without a fault", message: `${process.name} got no whole answer: ${seen}` }
  }
  return undefined
}
