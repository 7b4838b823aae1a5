/** The supervision tree: every actor of every daemon under the supervisor that started it. */
import { memo } from "preact/compat"
import { useState } from "preact/hooks"
import { briefly, lifeOf } from "../format.ts"
import { lingerMs } from "../model.ts"
import type { Store } from "../store.ts"
import { forest, type Leaf } from "../forest.ts"

export const Tree = ({ store }: { readonly store: Store }) => {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set())
  const { world } = store
  const roots = forest(world, lingerMs)
  const rows: Array<Leaf & { readonly depth: number }> = []
  const visit = (leaf: Leaf, depth: number): void => {
    rows.push({ ...leaf, depth })
    if (!closed.has(leaf.key)) for (const child of leaf.children) visit(child, depth + 1)
  }
  for (const root of roots) visit(root, 0)
  const toggle = (key: string) => {
    const next = new Set(closed)
    if (!next.delete(key)) next.add(key)
    setClosed(next)
  }
  const move = (by: number) => {
    const shown = rows.filter(({ actor }) => actor !== undefined)
    const at = shown.findIndex(({ key }) => key === store.route.actor)
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))]
    if (next !== undefined) {
      store.go({ actor: next.key })
      document.getElementById(`row ${next.key}`)?.scrollIntoView({ block: "nearest" })
    }
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const { actor } = store.route
    if (event.key === "ArrowDown") move(1)
    else if (event.key === "ArrowUp") move(-1)
    else if (actor !== undefined && event.key === "ArrowRight" && closed.has(actor)) toggle(actor)
    else if (actor !== undefined && event.key === "ArrowLeft" && !closed.has(actor)) toggle(actor)
    else return
    event.preventDefault()
  }
  return (
    <div class="tree" role="tree" tabIndex={0} aria-label="supervision tree" onKeyDown={onKeyDown}>
      <div class="row head" aria-hidden="true">
        <span>actor</span>
        <span>state</span>
        <span title="restarts within the supervisor's period, of those it allows">restarts</span>
        <span title="messages that wait">mailbox</span>
        <span>up</span>
      </div>
      {rows.map(({ actor, children, depth, key, label, state }) => (
        <Row
          key={key}
          id={key}
          depth={depth}
          label={label}
          life={actor === undefined ? state : lifeOf(actor)}
          text={actor === undefined ? "" : actor.machine === undefined ? "supervisor" : briefly(actor.snapshot?.value)}
          restarts={restartsText(actor)}
          hot={actor?.restartedAt !== undefined && store.now - actor.restartedAt < lingerMs}
          mailbox={actor?.mailbox ?? 0}
          up={actor === undefined || actor.gone !== undefined ? "" : coarse(store.now - actor.started)}
          fold={children.length === 0 ? "" : closed.has(key) ? "▸" : "▾"}
          selected={store.route.actor === key}
          onFold={() => toggle(key)}
          onSelect={actor === undefined ? undefined : () => store.go({ actor: key })}
        />
      ))}
    </div>
  )
}

const restartsText = (actor: Leaf["actor"]): string => {
  if (actor === undefined) return ""
  const { machine, restarted, restarts } = actor
  if (machine === undefined) return restarts === undefined ? "" : `${restarts.count}/${restarts.max}`
  return restarted === 0 ? "" : String(restarted)
}

/** Coarse, so that a row that shows nothing new is not drawn again. */
const coarse = (ms: number): string =>
  ms < 60_000
    ? `${Math.floor(ms / 1000)} s`
    : ms < 3_600_000
      ? `${Math.floor(ms / 60_000)} min`
      : `${Math.floor(ms / 3_600_000)} h`

interface RowProps {
  readonly id: string
  readonly depth: number
  readonly label: string
  readonly life: string
  readonly text: string
  readonly restarts: string
  readonly hot: boolean
  readonly mailbox: number
  readonly up: string
  readonly fold: string
  readonly selected: boolean
  readonly onFold: () => void
  readonly onSelect: (() => void) | undefined
}

const sameRow = (a: RowProps, b: RowProps): boolean =>
  a.life === b.life &&
  a.text === b.text &&
  a.restarts === b.restarts &&
  a.hot === b.hot &&
  a.mailbox === b.mailbox &&
  a.up === b.up &&
  a.fold === b.fold &&
  a.selected === b.selected &&
  a.depth === b.depth &&
  a.label === b.label

const Row = memo((row: RowProps) => {
  const { depth, fold, hot, id, label, life, mailbox, onFold, onSelect, restarts, selected, text, up } = row
  return (
    <div
      id={`row ${id}`}
      class={`row ${life === "gone" ? "gone" : ""} ${onSelect === undefined ? "plain" : ""}`}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={selected}
      data-actor={id}
      data-life={life}
      onClick={onSelect}
    >
      <span class="name" style={{ paddingLeft: `${depth * 13 + 2}px` }}>
        <button
          class="fold"
          tabIndex={-1}
          aria-label={fold === "" ? undefined : "fold"}
          onClick={(event) => {
            event.stopPropagation()
            onFold()
          }}
        >
          {fold}
        </button>
        <i class={`dot life-${life}`} />
        {label}
      </span>
      <span class={`state ink-${life}`}>{text}</span>
      <span class={`restarts ${hot ? "hot" : ""}`}>{restarts}</span>
      <span class="mailbox">{mailbox === 0 ? "" : mailbox}</span>
      <span class="up">{up}</span>
    </div>
  )
}, sameRow)
