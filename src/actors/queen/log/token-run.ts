/** The answer so far, and the run of tokens that this turn adds to it as one row of the journal. */
import type { Write } from "../../../layers/journal/index.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"

interface Tokens {
  readonly texts: ReadonlyArray<string>
  readonly tokenIds: ReadonlyArray<number>
}

export class TokenRun {
  count = 0
  private readonly ids: Array<number> = []
  private readonly job: JobId
  /** the text up to here; what follows is still in `runs` */
  private whole = ""
  /** ended runs, as the journal has them: decoded when somebody asks */
  private runs: Array<string> = []
  // the run of this turn
  private firstId = 0
  private firstIndex = 0
  private texts = ""
  private runIds = ""

  /** what the journal has, as long as nobody has asked for it */
  private earlier: (() => Tokens) | undefined

  /**
   * `earlier`: what the journal has of the job. `total`: how many those are, for an answer that is over; it is read
   * only when somebody asks for it.
   */
  constructor(job: JobId, earlier?: () => Tokens, total?: number) {
    this.job = job
    this.earlier = earlier
    this.count = total ?? 0
    if (total === undefined) this.load()
  }

  /** `json` is the text as a JSON string; `eventId` 0 where the token has no event of its own. */
  add(eventId: number, json: string, tokenId: number): void {
    if (this.texts === "") {
      this.firstId = eventId
      this.firstIndex = this.count
      this.texts = json
      this.runIds = String(tokenId)
    } else {
      this.texts += `,${json}`
      this.runIds += `,${tokenId}`
    }
    this.count++
    this.ids.push(tokenId)
  }

  /** Tokens that are in no row yet. */
  waiting(): number {
    return this.texts === "" ? 0 : this.count - this.firstIndex
  }

  /** Ends the run, as one row. */
  close(writes: Array<Write>): void {
    if (this.texts === "") return
    const texts = `[${this.texts}]`
    writes.push({
      _tag: "Tokens",
      job: this.job,
      firstId: this.firstId,
      firstIndex: this.firstIndex,
      count: this.count - this.firstIndex,
      texts,
      tokenIds: `[${this.runIds}]`
    })
    // this very string: writing it makes it flat, so that it holds on to no piece of the network's chunks
    this.runs.push(texts)
    this.texts = ""
    this.runIds = ""
  }

  text(): string {
    this.load()
    for (const run of this.runs) this.whole += decoded(run)
    this.runs = []
    return this.whole + decoded(`[${this.texts}]`)
  }

  idsSoFar(): ReadonlyArray<number> {
    this.load()
    return this.ids
  }

  private load(): void {
    if (this.earlier === undefined) return
    const { texts, tokenIds } = this.earlier()
    this.earlier = undefined
    this.whole = texts.join("")
    for (const id of tokenIds) this.ids.push(id)
    this.count = this.ids.length
  }
}

const decoded = (run: string): string => {
  const texts: ReadonlyArray<string> = JSON.parse(run)
  return texts.join("")
}
