/** What the operator may ask of an actor: the cluster's own calls, each after a confirmation. */
import { useRef, useState } from "preact/hooks"
import { call, wordsOf } from "../../web/kit/call.ts"
import type { ActorState } from "../model.ts"
import { titleOf } from "../names.ts"
import type { Store } from "../store.ts"

interface Action {
  readonly name: string
  readonly says: string
  readonly calls: ReadonlyArray<readonly ["POST" | "DELETE", string]>
}

/** `name`: what it is called in sight. */
const actionsFor = ({ child, gone, machine, snapshot }: ActorState, name: string): ReadonlyArray<Action> => {
  if (gone !== undefined || snapshot?.status !== "active" || child === undefined) return []
  const id = encodeURIComponent(child)
  switch (machine) {
    case "job":
      return [
        {
          name: "cancel",
          says: `End the answer of ${name} now? Its reader is told.`,
          calls: [["DELETE", `/jobs/${id}`]]
        }
      ]
    case "worker":
      return [
        {
          name: "drain",
          says: `Drain the worker of ${name}? It takes no new work, finishes what runs, and unloads its model.`,
          calls: [["POST", `/workers/${id}/shutdown`]]
        }
      ]
    case "hive": {
      const stop: Action["calls"][number] = ["POST", `/hives/${id}/shutdown`]
      const start: Action["calls"][number] = ["POST", `/hives/${id}/start`]
      return [
        { name: "start", says: `Wake hive ${child}?`, calls: [start] },
        {
          name: "stop",
          says: `Stop hive ${child} and its workers? Their jobs go on elsewhere, if anywhere.`,
          calls: [stop]
        },
        { name: "restart", says: `Stop hive ${child} with its workers, and wake it again?`, calls: [stop, start] }
      ]
    }
    case "queen":
      return [
        {
          name: "stop",
          says: "End the queen? Hives and workers live on, and the next queen takes them back.",
          calls: [["POST", "/shutdown"]]
        },
        {
          name: "shut down",
          says: "End the whole cluster: workers, hives, queen?",
          calls: [["POST", "/shutdown?cascade=true"]]
        }
      ]
    default:
      return []
  }
}

export const Actions = ({ actor, store }: { readonly actor: ActorState; readonly store: Store }) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const [asked, ask] = useState<Action | undefined>(undefined)
  // what is over cannot be asked for anything
  if (!store.isLive || store.connection !== "live") return null
  const perform = async (action: Action) => {
    try {
      for (const [method, path] of action.calls) await call(method, path)
      store.fail(undefined)
    } catch (error) {
      store.fail(`${action.name}: ${wordsOf(error)}`)
    }
  }
  return (
    <>
      {actionsFor(actor, titleOf(store.world, actor)).map((action) => (
        <button
          key={action.name}
          class="action"
          onClick={() => {
            ask(action)
            dialog.current?.showModal()
          }}
        >
          {action.name}
        </button>
      ))}
      <dialog ref={dialog} aria-label="Are you sure?">
        <p>{asked?.says}</p>
        <div class="choice">
          <button onClick={() => dialog.current?.close()}>no</button>
          <button
            class="danger"
            onClick={() => {
              dialog.current?.close()
              if (asked !== undefined) void perform(asked)
            }}
          >
            yes, {asked?.name}
          </button>
        </div>
      </dialog>
    </>
  )
}
