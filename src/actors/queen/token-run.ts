/** The answer so far, and the run of tokens that this turn adds to it as one row of the journal. */
import type { Write } from "../../layers/journal/index.ts"

interface Tokens {
  readonly texts: ReadonlyArray<string>
  readonly tokenIds: ReadonlyArray<number>
}

export class TokenRun {
  count = 0
  private whole = ""
  private readonly ids: Array<number> = []
  private readonly job: string
  // the run of this turn
  private firstId = 0
  private firstIndex = 0
  private texts = ""
  private runIds = ""

  /** `before`: what the journal has of an earlier queen's tokens. */
  constructor(job: string, before?: () => Tokens) {
    this.job = job
    const { texts, tokenIds } = before?.() ?? { texts: [], tokenIds: [] }
    this.whole = texts.join("")
    for (const id of tokenIds) this.ids.push(id)
    this.count = this.ids.length
  }

  /** `json` is `text` as JSON; `eventId` 0 where the token has no event of its own. */
  add(eventId: number, text: string, json: string, tokenId: number): void {
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
    this.whole += text
    this.ids.push(tokenId)
  }

  /** Ends the run, as one row. */
  close(writes: Array<Write>): void {
    if (this.texts === "") return
    writes.push({
      _tag: "Tokens",
      job: this.job,
      firstId: this.firstId,
      firstIndex: this.firstIndex,
      count: this.count - this.firstIndex,
      texts: `[${this.texts}]`,
      tokenIds: `[${this.runIds}]`
    })
    this.texts = ""
    this.runIds = ""
  }

  text(): string {
    return this.whole
  }

  idsSoFar(): ReadonlyArray<number> {
    return this.ids
  }
}
