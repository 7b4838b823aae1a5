/** The supervision trees of all daemons, as they stand below each other: a hive's tree hangs on the queen's actor of it. */
import { type ActorState, keyOf, type World } from "./model.ts"
import { childName } from "./names.ts"

export interface Leaf {
  readonly key: string
  readonly label: string
  /** undefined: a plain child (a task, a resource), or a daemon */
  readonly actor: ActorState | undefined
  /** of what is no actor */
  readonly state: string
  readonly children: ReadonlyArray<Leaf>
}

export const forest = (world: World, lingerMs: number): ReadonlyArray<Leaf> => {
  const byParent = new Map<string, Array<ActorState>>()
  const rootsOf = new Map<string, Array<ActorState>>()
  for (const actor of world.actors.values()) {
    if (actor.gone !== undefined && world.at - actor.gone > lingerMs) continue
    const { daemon, parent } = actor
    if (parent === undefined || !world.actors.has(keyOf(daemon, parent))) add(rootsOf, daemon, actor)
    else add(byParent, keyOf(daemon, parent), actor)
  }
  const placed = new Set<string>()
  const leafOf = (actor: ActorState): Leaf => {
    const actors = byParent.get(actor.key) ?? []
    const own = [
      ...actor.children
        .filter(({ id }) => !actors.some(({ child }) => child === id))
        .map(({ id, running }) => plain(`${actor.key}/${id}`, id, running ? "task" : "waiting")),
      ...actors.map(leafOf)
    ]
    const order = new Map(actor.children.map(({ id }, index) => [id, index]))
    own.sort((a, b) => rank(order, a) - rank(order, b))
    if (actor.machine === "hive")
      for (const [daemon, roots] of rootsOf)
        if (roleOf(daemon) === `hive-${actor.child ?? ""}`) {
          placed.add(daemon)
          own.push(...roots.map(leafOf))
        }
    return { key: actor.key, label: childName(world, actor.child ?? actor.path), actor, state: "", children: own }
  }
  const daemonOf = (daemon: string): Leaf => ({
    key: daemon,
    label: daemon,
    actor: undefined,
    state: world.daemons.get(daemon) === "down" ? "failed" : "daemon",
    children: (rootsOf.get(daemon) ?? []).map(leafOf)
  })
  const names = [...rootsOf.keys()].sort((a, b) => Number(roleOf(b) === "queen") - Number(roleOf(a) === "queen"))
  const roots: Array<Leaf> = []
  for (const daemon of names) if (!placed.has(daemon)) roots.push(daemonOf(daemon))
  return roots.filter(({ key }) => !placed.has(key))
}

/** `m1/hive-east#2001`, as the simulator names its processes, is `hive-east` as well. */
const roleOf = (daemon: string): string => daemon.replace(/^.*\//, "").replace(/#\d+$/, "")

const add = (map: Map<string, Array<ActorState>>, key: string, actor: ActorState): void => {
  const list = map.get(key)
  if (list === undefined) map.set(key, [actor])
  else list.push(actor)
}

const plain = (key: string, label: string, state: string): Leaf => ({
  key,
  label,
  actor: undefined,
  state,
  children: []
})

const rank = (order: ReadonlyMap<string, number>, { actor, label }: Leaf): number =>
  order.get(actor?.child ?? label) ?? Number.MAX_SAFE_INTEGER
