/**
 * Walks a chart without an actor: events, timers that fire when the test says so, activities that end as the test says.
 * `Coverage` remembers which transitions were taken, so that a test can ask for all of them.
 */
import type { AnyStateMachine, AnyStateNode, EventFromLogic, EventObject, InputFrom, SnapshotFrom } from "xstate"
import { type ChartAction, type Step, stepper } from "../../src/actors/core/machine/chart-step.ts"

const key = (source: AnyStateNode, type: string, index: number): string => `${source.id} --${type}--> [${index}]`

const nodesOf = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [
  node,
  ...Object.values(node.states).flatMap((child) => nodesOf(child as AnyStateNode))
]

export class Coverage {
  private readonly taken = new Set<string>()
  private readonly entered = new Set<string>()

  note(machine: AnyStateMachine, snapshot: SnapshotFrom<AnyStateMachine>, event: EventObject): void {
    for (const transition of machine.getTransitionData(snapshot, event) ?? []) {
      const siblings = transition.source.transitions.get(event.type) ?? transition.source.transitions.get("*") ?? []
      this.taken.add(key(transition.source, event.type, siblings.indexOf(transition)))
    }
  }

  enter(snapshot: SnapshotFrom<AnyStateMachine>): void {
    for (const node of snapshot._nodes) this.entered.add(node.id)
  }

  /** States never entered and transitions never taken. */
  missing(machine: AnyStateMachine): ReadonlyArray<string> {
    const nodes = nodesOf(machine.root)
    const transitions = nodes.flatMap((node) =>
      [...node.transitions].flatMap(([type, list]) => list.map((_, index) => key(node, type, index)))
    )
    return [
      ...nodes.map(({ id }) => id).filter((id) => !this.entered.has(id)),
      ...transitions.filter((each) => !this.taken.has(each))
    ]
  }
}

/** Whoever hears a command knows it by its type, and a state that was entered by its name. */
const named = (command: EventObject & { readonly state?: unknown }): EventObject => {
  const { state, type } = command
  const isEntered = !("state" in command) || (type === "entered" && typeof state === "string" && state !== "")
  if (typeof type !== "string" || type === "" || !isEntered) throw new Error(`no command: ${JSON.stringify(command)}`)
  return command
}

export class Walk<M extends AnyStateMachine> {
  private step: Step<M>
  private readonly next: (snapshot: SnapshotFrom<M>, event: EventFromLogic<M>) => Step<M>
  private readonly timers = new Map<string, EventObject & { readonly delayMs: number }>()
  private readonly activities = new Map<string, { readonly name: string; readonly input: unknown }>()
  readonly commands: Array<EventObject> = []
  private readonly machine: M
  private readonly coverage: Coverage

  constructor(machine: M, input: InputFrom<M>, coverage: Coverage) {
    const { initial, next } = stepper(machine, "walk")
    this.machine = machine
    this.coverage = coverage
    this.next = next
    this.step = initial(input)
    this.take()
  }

  private take(): this {
    if (this.step.status === "error") throw this.step.error
    this.coverage.enter(this.step.snapshot)
    for (const action of this.step.actions) this.apply(action)
    return this
  }

  private apply(action: ChartAction): void {
    switch (action.kind) {
      case "timer":
        this.timers.set(action.id ?? "", { ...action.event, delayMs: action.delayMs })
        return
      case "cancel":
        this.timers.delete(action.id)
        return
      case "enter":
        this.activities.set(action.id, action)
        return
      case "leave":
        this.activities.delete(action.id)
        return
      case "command":
        this.commands.push(named(action.event))
        return
      case "impure":
        throw new Error(`impure action ${action.type}`)
    }
  }

  private feed(event: EventObject): this {
    if (this.step.status !== "active") throw new Error(`it has ended; ${event.type} would be lost`)
    this.coverage.note(this.machine, this.step.snapshot, event)
    this.step = this.next(this.step.snapshot, event as EventFromLogic<M>)
    return this.take()
  }

  send(event: EventFromLogic<M>): this {
    return this.feed(event)
  }

  /** Lets the running timer fire whose id has this in it. */
  fire(name: string): this {
    const found = [...this.timers].find(([id]) => id.includes(name))
    if (found === undefined) throw new Error(`no timer ${name}; running: ${[...this.timers.keys()].join(", ")}`)
    this.timers.delete(found[0])
    const { delayMs: _, ...event } = found[1]
    return this.feed(event)
  }

  /** Milliseconds of the running timer whose id has this in it. */
  delay(name: string): number | undefined {
    return [...this.timers].find(([id]) => id.includes(name))?.[1].delayMs
  }

  private idOf(name: string): string {
    const found = [...this.activities].find(([, activity]) => activity.name === name)
    if (found === undefined) throw new Error(`no activity ${name} runs`)
    this.activities.delete(found[0])
    return found[0]
  }

  done(name: string, output?: unknown): this {
    const id = this.idOf(name)
    return this.feed({ type: `xstate.done.actor.${id}`, actorId: id, output } as EventObject)
  }

  fail(name: string, error: unknown): this {
    const id = this.idOf(name)
    return this.feed({ type: `xstate.error.actor.${id}`, actorId: id, error } as EventObject)
  }

  input(name: string): unknown {
    return [...this.activities.values()].find((activity) => activity.name === name)?.input
  }

  get running(): ReadonlyArray<string> {
    return [...this.activities.values()].map(({ name }) => name)
  }

  get snapshot(): SnapshotFrom<M> {
    return this.step.snapshot
  }

  get output(): unknown {
    return this.step.output
  }

  /** Types of the commands so far. */
  get said(): ReadonlyArray<string> {
    return this.commands.map(({ type }) => type)
  }
}
