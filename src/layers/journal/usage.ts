/** What ended jobs are charged with, in the journal's database: a sum for each key and day. */
import type Sqlite from "better-sqlite3"
import { chargeOf } from "../../machines/people/charge.ts"
import type { UsageDay } from "../../machines/vocabulary/people/usage.ts"
import type { JobFacts } from "./index.ts"

export const usageStatements = (db: Sqlite.Database) => {
  const add = db.prepare<[UsageDay]>(
    `INSERT INTO usage (key, day, jobs, prompt_tokens, cached_tokens, completion_tokens, device_s)
     VALUES (@key, @day, @jobs, @prompt_tokens, @cached_tokens, @completion_tokens, @device_s)
     ON CONFLICT DO UPDATE SET jobs = jobs + @jobs, prompt_tokens = prompt_tokens + @prompt_tokens,
       cached_tokens = cached_tokens + @cached_tokens, completion_tokens = completion_tokens + @completion_tokens,
       device_s = device_s + @device_s`
  )
  const select = db.prepare<[string], UsageDay>("SELECT * FROM usage WHERE day >= ? ORDER BY day DESC, key")
  const drop = db.prepare<[string]>("DELETE FROM usage WHERE day < ?")
  return {
    /** For the transaction that ends the job. */
    charge: (facts: JobFacts): void => {
      const charge = chargeOf(facts)
      if (charge !== undefined) add.run(charge)
    },
    since: (day: string): ReadonlyArray<UsageDay> => select.all(day),
    forget: (before: string): void => void drop.run(before)
  }
}
