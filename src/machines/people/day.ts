/** Days where the queen is: her clock and her time zone. */

/** `2026-11-30` */
export const dayOf = (ms: number): string => {
  const at = new Date(ms)
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((part) => String(part).padStart(2, "0")).join("-")
}

/** When the next day begins there, milliseconds since 1970: a day has 23 or 25 hours twice a year. */
export const nextDayAt = (ms: number): number => {
  const at = new Date(ms)
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() + 1).getTime()
}

/** The day so many days before. */
export const dayBefore = (ms: number, days: number): string => {
  const at = new Date(ms)
  return dayOf(new Date(at.getFullYear(), at.getMonth(), at.getDate() - days, 12).getTime())
}

/** days that daily sums are kept */
export const daysKept = 400
