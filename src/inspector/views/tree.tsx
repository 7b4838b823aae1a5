/** The supervision tree: every actor of every daemon under the supervisor that started it. */
import { memo } from "preact/compat"
import { useState } from "preact/hooks"
import { briefly, lifeOf } from "../format.ts"
import { forest, type Leaf } from "../forest.ts"
import { lingerMs } from "../model.ts"
import { type Move, moveOf, rowsOf } from "../rows.ts"
import type { Store } from "../store.ts"

export const Tree = ({ store }: { readonly store: Store }) => {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set())
  /** where the keyboard is */
  const [reached, reach] = useState<string | undefined>(undefined)
  const rows = rowsOf(forest(store.world, lingerMs), closed)
  const found = rows.findIndex(({ leaf }) => leaf.key === (reached ?? store.route.actor))
  const at = Math.max(0, found)
  // a row that has not changed since keeps the function of then
  const fold = (key: string) =>
    setClosed((now) => {
      const next = new Set(now)
      if (!next.delete(key)) next.add(key)
      return next
    })
  const go = ({ actor, key }: Leaf) => {
    reach(key)
    // what is no actor has nothing to show
    if (actor !== undefined) store.go({ actor: key })
  }
  const perform = (move: Move) => {
    const leaf = rows[typeof move === "number" ? move : at]?.leaf
    if (leaf === undefined) return
    if (move === "fold" || (move === "choose" && leaf.actor === undefined)) return fold(leaf.key)
    go(leaf)
    document.getElementById(idOf(leaf.key))?.scrollIntoView({ block: "nearest" })
  }
  return (
    <div class="tree-pane">
      <div class="row head" aria-hidden="true">
        <span>actor</span>
        <span class="state">state</span>
        <span title="restarts within the supervisor's period, of those it allows">restarts</span>
        <span title="messages that wait">mailbox</span>
        <span>up</span>
      </div>
      <div
        class="tree"
        role="tree"
        tabIndex={0}
        aria-label="supervision tree"
        aria-activedescendant={rows[at] && idOf(rows[at].leaf.key)}
        onKeyDown={(event) => {
          const move = moveOf(event.key, rows, at)
          if (move === undefined || event.ctrlKey || event.metaKey || event.altKey) return
          event.preventDefault()
          perform(move)
        }}
      >
        {rows.map(({ depth, isOpen, leaf, position, siblings }, index) => (
          <Row
            key={leaf.key}
            {...cellsOf(leaf, store.now)}
            id={leaf.key}
            depth={depth}
            label={leaf.label}
            isOpen={isOpen}
            position={position}
            siblings={siblings}
            isAt={index === at}
            isSelected={leaf.actor === undefined ? undefined : store.route.actor === leaf.key}
            onFold={() => fold(leaf.key)}
            onSelect={() => go(leaf)}
          />
        ))}
      </div>
    </div>
  )
}

/** An id may have no spaces where others refer to it. */
const idOf = (key: string): string => `row-${encodeURIComponent(key)}`

interface Cells {
  readonly life: string
  readonly text: string
  readonly restarts: string
  readonly isHot: boolean
  readonly mailbox: number
  readonly up: string
}

const cellsOf = ({ actor, state }: Leaf, now: number): Cells => {
  if (actor === undefined) return { life: state, text: "", restarts: "", isHot: false, mailbox: 0, up: "" }
  const { gone, machine, mailbox, restarted, restartedAt, restarts, snapshot, started } = actor
  const allowed = restarts === undefined ? "" : `${restarts.count}/${restarts.max}`
  return {
    life: lifeOf(actor),
    text: machine === undefined ? "supervisor" : briefly(snapshot?.value),
    restarts: machine === undefined ? allowed : restarted === 0 ? "" : String(restarted),
    isHot: restartedAt !== undefined && now - restartedAt < lingerMs,
    mailbox,
    up: gone === undefined ? coarse(now - started) : ""
  }
}

/** Coarse, so that a row that shows nothing new is not drawn again. */
const coarse = (ms: number): string =>
  ms < 60_000
    ? `${Math.floor(ms / 1000)} s`
    : ms < 3_600_000
      ? `${Math.floor(ms / 60_000)} min`
      : `${Math.floor(ms / 3_600_000)} h`

interface RowProps extends Cells {
  readonly id: string
  readonly depth: number
  readonly label: string
  readonly isOpen: boolean | undefined
  readonly position: number
  readonly siblings: number
  readonly isAt: boolean
  /** undefined: it cannot be */
  readonly isSelected: boolean | undefined
  readonly onFold: () => void
  readonly onSelect: () => void
}

const shown = ["life", "text", "restarts", "isHot", "mailbox", "up"] as const
const placed = ["depth", "label", "isOpen", "position", "siblings", "isAt", "isSelected"] as const
const sameRow = (a: RowProps, b: RowProps): boolean => [...shown, ...placed].every((name) => a[name] === b[name])

const Row = memo((row: RowProps) => {
  const { isAt, isHot, isOpen, isSelected, life, mailbox } = row
  return (
    <div
      id={idOf(row.id)}
      class={`row ${life === "gone" ? "gone" : ""} ${isSelected === undefined ? "plain" : ""} ${isAt ? "at" : ""}`}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-selected={isSelected}
      aria-expanded={isOpen}
      data-actor={row.id}
      data-life={life}
      title={row.id}
      onClick={row.onSelect}
    >
      <span class="name" style={{ "--depth": row.depth }}>
        <span
          class="fold"
          aria-hidden="true"
          onClick={(event) => {
            if (isOpen === undefined) return
            event.stopPropagation()
            row.onFold()
          }}
        >
          {isOpen === undefined ? "" : isOpen ? "▾" : "▸"}
        </span>
        <i class={`dot as-${life}`} />
        <span class="label">{row.label}</span>
      </span>
      <span class={`state as-${life}`}>{row.text}</span>
      <span class={`restarts ${isHot ? "hot" : ""}`}>{row.restarts}</span>
      <span class="mailbox">{mailbox === 0 ? "" : mailbox}</span>
      <span class="up">{row.up}</span>
    </div>
  )
}, sameRow)
