/** One actor: its chart, its timers, what it may be asked to do, and what happened to it. */
import { duration } from "../../web/kit/amounts.ts"
import { briefly, clock, eventText, json, lifeOf, stateText } from "../format.ts"
import type { ActorState, World } from "../model.ts"
import { childName, titleOf } from "../names.ts"
import type { Store } from "../store.ts"
import { acceptedBy } from "../accepted.ts"
import { ChartView } from "./chart.tsx"
import { Actions } from "./actions.tsx"
import { Close } from "./close.tsx"

export const ActorPanel = ({ actor, store }: { readonly actor: ActorState; readonly store: Store }) => {
  const { now } = store
  const life = lifeOf(actor)
  return (
    <section class="actor" aria-label={`actor ${actor.path}`}>
      <header>
        <i class={`dot as-${life}`} />
        <h2 title={actor.path}>{titleOf(store.world, actor)}</h2>
        <span class={`chip as-${life}`}>
          {actor.machine === undefined ? "supervisor" : stateText(actor.snapshot?.value)}
        </span>
        {actor.gone === undefined ? null : <span class="chip as-gone">ended</span>}
        <span class="grow" />
        <Actions actor={actor} store={store} />
        <Close close={() => store.go({ actor: undefined })} back=".tree" />
      </header>
      {actor.machine === undefined ? (
        <Children actor={actor} world={store.world} />
      ) : (
        <ChartView key={actor.key} actor={actor} now={now} />
      )}
      <div class="facts">
        <Facts actor={actor} now={now} />
        <History actor={actor} store={store} />
      </div>
    </section>
  )
}

const Children = ({ actor, world }: { readonly actor: ActorState; readonly world: World }) => (
  <ol class="children" tabIndex={0} aria-label="its children">
    {actor.children.map(({ id, running }) => (
      <li key={id} title={id}>
        <i class={`dot as-${running ? "healthy" : "degraded"}`} />
        {childName(world, id)}
        {running ? "" : " — its restart failed and is tried again"}
      </li>
    ))}
  </ol>
)

const Facts = ({ actor, now }: { readonly actor: ActorState; readonly now: number }) => {
  const { restarts, restarted, timers } = actor
  const accepted = acceptedBy(actor)
  return (
    <div class="column" tabIndex={0} role="region" aria-label="what is so now">
      <h3>now</h3>
      <dl>
        <dt>path</dt>
        <dd>
          {actor.path} of {actor.daemon}
        </dd>
        <dt>up</dt>
        <dd>{duration((actor.gone ?? now) - actor.started)}</dd>
        <dt>mailbox</dt>
        <dd>{actor.mailbox} waiting</dd>
        <dt>restarts</dt>
        <dd>
          {restarts === undefined
            ? restarted
            : `${restarts.count} of ${restarts.max} within ${duration(restarts.period_ms)}`}
        </dd>
        {timers.map(({ due, event }) => (
          <>
            <dt>timer</dt>
            <dd class="timer">
              {eventText(event)} <b>in {duration(due - now)}</b>
            </dd>
          </>
        ))}
        {accepted.length === 0 ? null : (
          <>
            <dt>takes</dt>
            <dd>
              {accepted.map((event) => (
                <code key={event}>{event}</code>
              ))}
            </dd>
          </>
        )}
      </dl>
      <h3>context</h3>
      <pre>{json(actor.snapshot?.context)}</pre>
    </div>
  )
}

const History = ({ actor, store }: { readonly actor: ActorState; readonly store: Store }) => (
  <div class="column" tabIndex={0} role="region" aria-label="what happened to it">
    <h3>history</h3>
    <ol class="history">
      {actor.history.toReversed().map((record, index) => (
        <li key={actor.history.length - index} class={record.kind}>
          <button title="show this moment" onClick={() => store.show(store.recording.records.indexOf(record) + 1)}>
            {clock(record.at)}
          </button>
          <Entry record={record} world={store.world} />
        </li>
      ))}
    </ol>
  </div>
)

interface EntryProps {
  readonly record: ActorState["history"][number]
  readonly world: World
}

const Entry = ({ record, world }: EntryProps) => {
  switch (record.kind) {
    case "event":
      return <span title={json(record.event)}>{eventText(record.event.type)}</span>
    case "snapshot":
      return <span title={json(record.snapshot)}>→ {briefly(record.snapshot.value)}</span>
    case "supervision":
      return (
        <span title={json(record)}>
          {childName(world, record.child)} {record.context.replaceAll("_", " ")}
          {record.restarts === undefined ? "" : ` ${record.restarts.count}/${record.restarts.max}`}
          {record.backoff_ms === undefined ? "" : `, in ${duration(record.backoff_ms)}`}
          {record.reason === "" || record.reason === "progress" ? "" : ` (${record.reason})`}
        </span>
      )
    case "exit":
      return (
        <span>
          ended: {record.reason} {record.error ?? ""}
        </span>
      )
    case "actor":
      return <span>started</span>
  }
}
