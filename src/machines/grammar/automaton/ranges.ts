/** Sets of code points, as ascending ranges that do not touch. Halves of surrogate pairs are no characters. */
export type Range = readonly [from: number, to: number]
export type Ranges = ReadonlyArray<Range>

export const every: Ranges = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff]
]

export const union = (...sets: ReadonlyArray<Ranges>): Ranges => {
  const sorted = sets.flat().sort(([a], [b]) => a - b)
  const found: Array<Range> = []
  for (const [from, to] of sorted) {
    const last = found.at(-1)
    if (last !== undefined && from <= last[1] + 1) found.splice(-1, 1, [last[0], Math.max(last[1], to)])
    else found.push([from, to])
  }
  return found
}

export const intersection = (one: Ranges, other: Ranges): Ranges => {
  const found: Array<Range> = []
  for (let [at, beside] = [0, 0]; ;) {
    const [range, with_] = [one[at], other[beside]]
    if (range === undefined || with_ === undefined) return found
    const [start, end] = [Math.max(range[0], with_[0]), Math.min(range[1], with_[1])]
    if (start <= end) found.push([start, end])
    if (range[1] < with_[1]) at++
    else beside++
  }
}

export const without = (one: Ranges, other: Ranges): Ranges => {
  const gaps: Array<Range> = []
  let from = 0
  for (const [low, high] of other) {
    if (low > from) gaps.push([from, low - 1])
    from = high + 1
  }
  if (from <= 0x10ffff) gaps.push([from, 0x10ffff])
  return intersection(one, gaps)
}

export const complement = (set: Ranges): Ranges => without(every, set)

export const ofCharacters = (characters: string): Ranges =>
  union(...[...characters].map((character): Ranges => [[character.codePointAt(0) ?? 0, character.codePointAt(0) ?? 0]]))

export const between = (from: string, to: string): Ranges => [[from.codePointAt(0) ?? 0, to.codePointAt(0) ?? 0]]
