/** Plain tables: aligned columns, two spaces between them, nothing that a script would have to strip; texts in lines. */

import type { Output } from "../../layers/terminal/index.ts"

/** Columns on a terminal: wide East Asian characters and emoji take two, combining marks none. */
export const width = (text: string): number => {
  let columns = 0
  for (const character of text) {
    if (/\p{Mark}|\p{Control}|\u200d/u.test(character)) continue
    columns +=
      /\p{Extended_Pictographic}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u.test(
        character
      )
        ? 2
        : 1
  }
  return columns
}

/** Columns of a terminal; undefined: a file or a pipe, for which nothing is cut. */
export const roomOf = (output: Output): number | undefined => (output.isTTY ? output.columns() : undefined)

/** what a column is not made narrower than */
const narrowest = 8
const between = "  "

/** The first and the last of a text that has no room: a path is known by its end, a reference by both. */
const shortened = (text: string, room: number): string => {
  if (width(text) <= room) return text
  const characters = [...text]
  const cut = (kept: number) =>
    `${characters.slice(0, Math.ceil(kept / 2)).join("")}…${characters.slice(characters.length - Math.floor(kept / 2)).join("")}`
  let kept = room - 1
  // wide characters take two columns
  while (kept > 0 && width(cut(kept)) > room) kept--
  return cut(kept)
}

/** Widths that have room together: the widest column gives first. */
const fitting = (widths: ReadonlyArray<number>, room: number): ReadonlyArray<number> => {
  const fit = [...widths]
  const total = () => fit.reduce((sum, one) => sum + one, between.length * (fit.length - 1))
  while (total() > room) {
    const widest = Math.max(...fit)
    if (widest <= narrowest) return fit
    fit[fit.indexOf(widest)] = widest - 1
  }
  return fit
}

/** `room`: columns of the terminal; absent: no terminal, and nothing is cut. */
export const table = (
  head: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  room = Number.POSITIVE_INFINITY
): string => {
  const all = [head, ...rows]
  const widths = fitting(
    head.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? "")))),
    room
  )
  const line = (row: ReadonlyArray<string>) =>
    row
      .map((cell, column) => {
        const own = widths[column] ?? 0
        const text = shortened(cell, own)
        return text + " ".repeat(Math.max(0, own - width(text)))
      })
      .join(between)
      .trimEnd()
  return `${all.map(line).join("\n")}\n`
}

/** Words in lines of `room` columns; one that is longer has a line of its own. */
export const wrapped = (text: string, room: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && width(last) + 1 + width(word) <= room) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

export const age = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`
}
