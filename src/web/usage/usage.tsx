/** What was used in the last 30 days: who, how much, on which day, and what is left of the limits. */
import { grouped } from "../kit/amounts.ts"
import { call } from "../kit/call.ts"
import { useRemote } from "../kit/remote.ts"
import { Shown } from "../kit/shown.tsx"
import { Bars } from "./bars.tsx"
import { type Account, type Limit, usageIn } from "./read.ts"
import { SumTable } from "./sum-table.tsx"

const days = 30

const load = async () => usageIn(await call("GET", `/v1/usage?days=${days}`))

export const Usage = () => {
  const usage = useRemote(load)
  return (
    <section class="page" aria-label="Usage">
      <h2>Usage</h2>
      <Shown of={usage}>
        {({ accounts, day }) => (
          <>
            {accounts.length === 0 ? (
              <p class="note">Nobody has asked anything yet.</p>
            ) : (
              <SumTable
                of="Who"
                label={`Sums of ${days} days`}
                caption={`The last ${days} days, tokens`}
                rows={accounts.map(({ key, sum }) => ({ ...sum, name: key }))}
              />
            )}
            <ul class="cards">
              {accounts.map((account) => (
                <li key={account.key} class="card">
                  <h3>{account.key}</h3>
                  <Left account={account} />
                  <Bars account={account} last={day} count={days} />
                </li>
              ))}
            </ul>
          </>
        )}
      </Shown>
    </section>
  )
}

const limitWords = (of: string, { left, max }: Limit): string => `${grouped(left)} of ${grouped(max)} ${of} left`

const Left = ({ account: { concurrent, running, tokensPerDay } }: { readonly account: Account }) => (
  <p class="note">
    {[
      running === 0 ? "nothing runs" : `${running} running`,
      ...(tokensPerDay === undefined ? [] : [limitWords("tokens of today", tokensPerDay)]),
      ...(concurrent === undefined ? [] : [limitWords("jobs at once", concurrent)]),
      ...(tokensPerDay === undefined && concurrent === undefined ? ["no limits"] : [])
    ].join(" · ")}
  </p>
)
