/** Until when a key is good, as people write it: `30d`, `12h`, `2027-01-31` (its end), or a time. */
import { nextDayAt } from "./day.ts"

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** Milliseconds since 1970; undefined: nobody can say when that is, or it is not to come. */
export const expiryOf = (text: string, now: number): number | undefined => {
  const [, count, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? []
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text) ?? []
  const at =
    count !== undefined
      ? now + Number(count) * (units[unit ?? ""] ?? Number.NaN)
      : year !== undefined
        ? nextDayAt(new Date(Number(year), Number(month) - 1, Number(day)).getTime())
        : Date.parse(text)
  return Number.isFinite(at) && at > now ? at : undefined
}
