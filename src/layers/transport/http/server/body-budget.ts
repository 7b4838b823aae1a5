/** The bytes of requests that a daemon holds for all its connections together: more than that nobody can make it hold. */
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"

/** three of the largest that anybody takes */
export const budgetBytes = 96 * 1024 * 1024
/** A body up to this size finds room where large ones have none: an eighth is theirs alone. */
const smallBytes = 64 * 1024
const forLarge = 7 / 8

/** What one request holds. */
export interface Hold {
  /** false: there is no room for so many bytes more */
  readonly take: (bytes: number) => boolean
  /** gives all of it back; more than once is once */
  readonly release: () => void
}

export class BodyBudget {
  private readonly total: number
  private used = 0

  constructor(total: number = budgetBytes) {
    this.total = total
  }

  readonly hold = (): Hold => {
    let own = 0
    return {
      take: (bytes) => {
        const most = own + bytes > smallBytes ? this.total * forLarge : this.total
        if (this.used + bytes > most) return false
        own += bytes
        this.used += bytes
        return true
      },
      release: () => {
        this.used -= own
        own = 0
      }
    }
  }

  readonly refusal = (): RbeeError<"QUEUE_FULL"> =>
    rbeeError(
      "QUEUE_FULL",
      `the requests that are held here have ${this.total} bytes, which is the most`,
      "Try again",
      {
        max_bytes: this.total,
        retry_after_s: 2
      }
    )
}
