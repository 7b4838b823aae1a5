/** What was used in the last 30 days: who, how much, on which day, and what is left of the limits. */
import { grouped, seconds } from "../kit/amounts.ts"
import { call } from "../kit/call.ts"
import { useRemote } from "../kit/remote.ts"
import { Shown } from "../kit/shown.tsx"
import { Bars } from "./bars.tsx"
import { type Account, type Limit, usageIn } from "./read.ts"

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
            {accounts.length === 0 ? <p class="note">Nobody has asked anything yet.</p> : <Sums accounts={accounts} />}
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

const heads = ["Who", "Jobs", "Prompt", "of it cached", "Answer", "Device time"]

const Sums = ({ accounts }: { readonly accounts: ReadonlyArray<Account> }) => (
  <div class="scroll" tabIndex={0} role="region" aria-label="Sums of 30 days">
    <table class="sums">
      <caption>The last {days} days, tokens</caption>
      <thead>
        <tr>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {accounts.map(({ key, sum }) => (
          <tr key={key}>
            <th scope="row">{key}</th>
            <td>{grouped(sum.jobs)}</td>
            <td>{grouped(sum.prompt)}</td>
            <td>{grouped(sum.cached)}</td>
            <td>{grouped(sum.answer)}</td>
            <td>{seconds(sum.deviceS)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)
