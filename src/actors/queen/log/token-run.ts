/** The answer so far, and the run of tokens that this turn adds to it as one row of the journal. */
import type { Tokens, Write } from "../../../layers/journal/index.ts"
import { invariant } from "../../../machines/invariant.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"

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

  /** all of it is here: not of an answer that was over before */
  readonly isWhole: boolean

  /** `earlier`: what the journal has of the job; or how many those are, of an answer that is over. */
  constructor(job: JobId, earlier?: Tokens | number) {
    this.job = job
    this.isWhole = typeof earlier !== "number"
    if (typeof earlier === "number") this.count = earlier
    else if (earlier !== undefined) {
      this.whole = earlier.texts.join("")
      for (const id of earlier.tokenIds) this.ids.push(id)
      this.count = this.ids.length
    }
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

  /** Characters of theirs. */
  waitingLength(): number {
    return this.texts.length
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
    this.mustBeWhole()
    for (const run of this.runs) this.whole += decoded(run)
    this.runs = []
    return this.whole + decoded(`[${this.texts}]`)
  }

  idsSoFar(): ReadonlyArray<number> {
    this.mustBeWhole()
    return this.ids
  }

  private mustBeWhole(): void {
    invariant(this.isWhole, () => `${this.job}, which was over before, is asked here for its answer`)
  }
}

const decoded = (run: string): string => {
  const texts: ReadonlyArray<string> = JSON.parse(run)
  return texts.join("")
}
