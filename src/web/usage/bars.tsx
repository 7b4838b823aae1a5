/** Tokens a day as small bars, and the same as a table for who does not see them. */
import { grouped } from "../kit/amounts.ts"
import { type Account, everyDay, tokensOf } from "./read.ts"
import { SumTable } from "./sum-table.tsx"

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
        <SumTable of="Day" label={`Days of ${key}, table`} rows={days.map((day) => ({ ...day, name: day.day }))} />
      </details>
    </>
  )
}
