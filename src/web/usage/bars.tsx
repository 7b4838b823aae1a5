/** Tokens a day as small bars, and the same as a table for who does not see them. */
import { grouped, seconds } from "../kit/amounts.ts"
import { type Account, everyDay, tokensOf } from "./read.ts"

interface BarsProps {
  readonly account: Account
  readonly last: string
  readonly count: number
}

const [width, height, gap] = [8, 40, 2]

export const Bars = ({ account: { days, key }, count, last }: BarsProps) => {
  const all = everyDay(last, days, count)
  const most = Math.max(1, ...all.map(tokensOf))
  const barHeight = (tokens: number) => (tokens === 0 ? 0 : Math.max(1, (tokens / most) * height))
  return (
    <>
      <svg
        class="bars"
        preserveAspectRatio="none"
        viewBox={`0 0 ${count * (width + gap)} ${height + 1}`}
        aria-hidden="true"
      >
        {all.map((day, at) => (
          <rect
            key={day.day}
            x={at * (width + gap)}
            y={height - barHeight(tokensOf(day))}
            width={width}
            height={barHeight(tokensOf(day)) + 1}
          >
            <title>{`${day.day}: ${grouped(tokensOf(day))} tokens, ${day.jobs} jobs`}</title>
          </rect>
        ))}
      </svg>
      <details>
        <summary aria-label={`Days of ${key}`}>Days</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={`Days of ${key}, table`}>
          <table class="sums">
            <thead>
              <tr>
                {["Day", "Jobs", "Prompt", "of it cached", "Answer", "Device time"].map((head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {days.map((day) => (
                <tr key={day.day}>
                  <th scope="row">{day.day}</th>
                  <td>{grouped(day.jobs)}</td>
                  <td>{grouped(day.prompt)}</td>
                  <td>{grouped(day.cached)}</td>
                  <td>{grouped(day.answer)}</td>
                  <td>{seconds(day.deviceS)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  )
}
