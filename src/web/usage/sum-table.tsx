/** What was used, a row each: of an account, of a day. */
import { grouped, seconds } from "../kit/amounts.ts"
import type { Sums } from "./read.ts"

interface TableProps {
  /** what the rows are, and what they are called */
  readonly of: string
  readonly rows: ReadonlyArray<Sums & { readonly name: string }>
  /** what it is for who does not see it */
  readonly label: string
  readonly caption?: string
}

const heads = ["Jobs", "Prompt", "of it cached", "Answer", "Device time"]

export const SumTable = ({ caption, label, of, rows }: TableProps) => (
  <div class="scroll" tabIndex={0} role="region" aria-label={label}>
    <table class="sums">
      {caption === undefined ? null : <caption>{caption}</caption>}
      <thead>
        <tr>
          {[of, ...heads].map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ answer, cached, deviceS, jobs, name, prompt }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{grouped(jobs)}</td>
            <td>{grouped(prompt)}</td>
            <td>{grouped(cached)}</td>
            <td>{grouped(answer)}</td>
            <td>{seconds(deviceS)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)
