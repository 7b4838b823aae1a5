/** What somebody may have meant who wrote a word that nobody knows. */

/** Letters to change, to leave out or to put in until one word is the other (Levenshtein). */
export const distance = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1]
    for (const [j, its] of [...other].entries())
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (letter === its ? 0 : 1)))
    row = next
  }
  return row.at(-1) ?? 0
}

/** Undefined: none is alike. */
export const nearest = (word: string, known: ReadonlyArray<string>): string | undefined => {
  const written = word.toLowerCase().slice(0, 64)
  const [best] = known
    .map((each) => ({ each, far: distance(written, each.toLowerCase()) }))
    .toSorted((a, b) => a.far - b.far)
  return best !== undefined && best.far <= Math.max(1, Math.floor(best.each.length / 3)) ? best.each : undefined
}
