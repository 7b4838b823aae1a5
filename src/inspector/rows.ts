/** The tree as rows, and how the keyboard moves among them: as WAI-ARIA's practices have it for a tree view. */
import type { Leaf } from "./forest.ts"

export interface Row {
  readonly leaf: Leaf
  readonly depth: number
  /** undefined: it has no children */
  readonly isOpen: boolean | undefined
  /** among its siblings, from 1 */
  readonly position: number
  readonly siblings: number
}

export const rowsOf = (roots: ReadonlyArray<Leaf>, closed: ReadonlySet<string>): ReadonlyArray<Row> => {
  const rows: Array<Row> = []
  const visit = (leaves: ReadonlyArray<Leaf>, depth: number): void =>
    leaves.forEach((leaf, index) => {
      const isOpen = leaf.children.length === 0 ? undefined : !closed.has(leaf.key)
      rows.push({ leaf, depth, isOpen, position: index + 1, siblings: leaves.length })
      if (isOpen === true) visit(leaf.children, depth + 1)
    })
  visit(roots, 0)
  return rows
}

/** Another row, or: this one is opened or closed, or chosen. */
export type Move = number | "fold" | "choose"

/** What a key means at a row; undefined: nothing. */
export const moveOf = (key: string, rows: ReadonlyArray<Row>, at: number): Move | undefined => {
  const row = rows[at]
  if (row === undefined) return undefined
  const { depth, isOpen } = row
  switch (key) {
    case "ArrowDown":
      return Math.min(at + 1, rows.length - 1)
    case "ArrowUp":
      return Math.max(at - 1, 0)
    case "Home":
      return 0
    case "End":
      return rows.length - 1
    case "ArrowRight":
      return isOpen === undefined ? undefined : isOpen ? at + 1 : "fold"
    case "ArrowLeft": {
      if (isOpen === true) return "fold"
      const parent = rows.slice(0, at).findLastIndex((one) => one.depth < depth)
      return parent < 0 ? undefined : parent
    }
    case "Enter":
    case " ":
      return "choose"
    default:
      return undefined
  }
}
