/** The conversations of this browser, and the answers that are coming: what the views show, and what they may do. */
import { call, Refused, wordsOf } from "../kit/call.ts"
import { Observed } from "../kit/page/observed.ts"
import { isObject } from "../../machines/formats/json/is-object.ts"
import {
  type Answer,
  type Conversation,
  messagesOf,
  newAnswer,
  type Parameters,
  partsOf,
  readConversation,
  splitThought,
  titleOf
} from "./conversation.ts"
import { readJob } from "./job-events.ts"

const prefix = "rbee.conversation."
/** A browser's storage is small: the oldest conversations go. */
const keptMax = 200

const kept = (): Array<Conversation> =>
  Object.keys(localStorage)
    .filter((key) => key.startsWith(prefix))
    .flatMap((key) => {
      try {
        return readConversation(JSON.parse(localStorage.getItem(key) ?? "")) ?? []
      } catch {
        return []
      }
    })
    .toSorted((a, b) => b.changedAt - a.changedAt)

export class ChatStore extends Observed {
  conversations: ReadonlyArray<Conversation> = kept()
  current: string | undefined
  /** why something that was asked for could not be done */
  problem: string | undefined
  isConnected = true
  private readonly readers = new Map<string, () => void>()

  constructor() {
    super()
    // what was under way when the page was left goes on
    for (const conversation of this.conversations) {
      const last = conversation.turns.at(-1)
      if (last?.role !== "assistant" || last.state !== "running") continue
      if (last.job === undefined)
        this.answer(conversation.id, { state: "failed", note: "The page was left before it was asked." })
      else this.follow(conversation.id, last.job)
    }
  }

  get shown(): Conversation | undefined {
    return this.conversations.find(({ id }) => id === this.current)
  }

  get isRunning(): boolean {
    const last = this.shown?.turns.at(-1)
    return last?.role === "assistant" && last.state === "running"
  }

  open(id: string | undefined): void {
    this.current = id
    this.problem = undefined
    this.changed()
  }

  remove(id: string): void {
    this.stopReading(id)
    localStorage.removeItem(prefix + id)
    this.conversations = this.conversations.filter((one) => one.id !== id)
    if (this.current === id) this.current = undefined
    this.changed()
  }

  setUp(id: string, parameters: Parameters): void {
    const conversation = this.conversations.find((one) => one.id === id)
    if (conversation !== undefined) this.keep({ ...conversation, parameters })
  }

  /** Begins a conversation where none is shown. */
  say(text: string, model: string, parameters: Parameters): void {
    const shown = this.shown
    const id = shown?.id ?? crypto.randomUUID()
    const conversation = shown ?? { id, title: titleOf(text), model, parameters, turns: [], changedAt: 0 }
    this.current = id
    void this.ask({ ...conversation, model, turns: [...conversation.turns, { role: "user", content: text }] })
  }

  /** The last answer once more, from what was asked. */
  retry(model: string): void {
    const { shown } = this
    if (shown === undefined || this.isRunning) return
    const asked = shown.turns.findLastIndex(({ role }) => role === "user")
    void this.ask({ ...shown, model, turns: shown.turns.slice(0, asked + 1) })
  }

  async stop(): Promise<void> {
    const last = this.shown?.turns.at(-1)
    if (last?.role !== "assistant" || last.job === undefined) return
    try {
      await call("DELETE", `/jobs/${encodeURIComponent(last.job)}`)
    } catch (error) {
      // it has ended meanwhile, which is heard
      if (!(error instanceof Refused && error.status === 409)) this.fail(error)
    }
  }

  private async ask(conversation: Conversation): Promise<void> {
    const { id, model, parameters } = conversation
    this.keep({ ...conversation, turns: [...conversation.turns, newAnswer(model)] })
    try {
      const job = await call("POST", "/jobs", {
        model,
        messages: messagesOf(conversation),
        ...(parameters.temperature === undefined ? {} : { temperature: parameters.temperature }),
        ...(parameters.maxTokens === undefined ? {} : { max_tokens: parameters.maxTokens })
      })
      const jobId = isObject(job) ? String(job["job_id"]) : ""
      this.answer(id, { job: jobId })
      this.follow(id, jobId)
    } catch (error) {
      this.answer(id, { state: "failed", note: wordsOf(error) })
    }
  }

  /** The job's events from the first one: the answer is written anew. */
  private follow(id: string, job: string): void {
    let text = ""
    let failovers = 0
    let tokens = 0
    const end = readJob(job, {
      narration: (line) => this.answer(id, { note: line }),
      token: (piece) => {
        text += piece
        tokens++
        this.answer(id, { ...splitThought(text), tokens, note: undefined })
      },
      failover: () => {
        failovers++
        this.answer(id, { failovers })
      },
      done: ({ message, timings }) => {
        const took = timeOf(timings)
        const tokensPerS = took === undefined || tokens < 2 ? undefined : ((tokens - 1) * 1000) / took
        this.answer(id, {
          ...(partsOf(message) ?? splitThought(text)),
          state: "done",
          note: undefined,
          tokens,
          tokensPerS
        })
      },
      ended: (state, why) => this.answer(id, { state, note: why === "" ? undefined : why }),
      connected: (is) => {
        if (this.isConnected === is) return
        this.isConnected = is
        this.changed()
      }
    })
    this.stopReading(id)
    this.readers.set(id, end)
  }

  private stopReading(id: string): void {
    this.readers.get(id)?.()
    this.readers.delete(id)
  }

  private fail(error: unknown): void {
    this.problem = wordsOf(error)
    this.changed()
  }

  /** What comes in pieces is not written down: the job's events have it, and a page that is opened anew reads them. */
  private answer(id: string, changes: Partial<Answer>): void {
    const conversation = this.conversations.find((one) => one.id === id)
    const last = conversation?.turns.at(-1)
    if (conversation === undefined || last?.role !== "assistant") return
    const now = { ...conversation, turns: [...conversation.turns.slice(0, -1), { ...last, ...changes }] }
    this.conversations = this.conversations.map((one) => (one.id === id ? now : one))
    if (changes.state !== undefined || changes.job !== undefined) this.write(now)
    this.changed()
  }

  private keep(conversation: Conversation): void {
    const now = { ...conversation, changedAt: Date.now() }
    const all = [now, ...this.conversations.filter(({ id }) => id !== now.id)]
    this.conversations = all.slice(0, keptMax)
    for (const { id } of all.slice(keptMax)) localStorage.removeItem(prefix + id)
    this.write(now)
    this.changed()
  }

  private write(conversation: Conversation): void {
    try {
      localStorage.setItem(prefix + conversation.id, JSON.stringify(conversation))
    } catch {
      this.problem = "This browser has no room to keep the conversation: it is lost when the page is closed."
    }
  }
}

/** Milliseconds from the first token to the last. */
const timeOf = (timings: unknown): number | undefined => {
  if (!isObject(timings)) return undefined
  const [first, total] = [timings["first_token_ms"], timings["total_ms"]]
  return typeof first === "number" && typeof total === "number" && total > first ? total - first : undefined
}
