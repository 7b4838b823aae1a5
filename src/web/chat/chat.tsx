/** The chat: conversations at the side, the one that is open, and where the next question is written. */
import { useEffect, useRef, useState } from "preact/hooks"
import { save } from "../kit/page/save.ts"
import type { ModelList } from "./askable.ts"
import { Composer, ModelPicker, ParameterFields } from "./composer.tsx"
import { asMarkdown, type Conversation, type Parameters } from "./conversation.ts"
import type { ChatStore } from "./store.ts"
import { TurnView } from "./turn.tsx"

interface ChatProps {
  readonly store: ChatStore
  readonly models: ModelList
}

export const Chat = ({ models, store }: ChatProps) => {
  const [chosen, choose] = useState<string | undefined>(undefined)
  const [parameters, setParameters] = useState<Parameters>({ system: "" })
  const { shown } = store
  const model = chosen ?? shown?.model ?? models.first
  const set = (changed: Parameters) => {
    setParameters(changed)
    if (shown !== undefined) store.setUp(shown.id, changed)
  }
  const used = shown?.parameters ?? parameters
  return (
    <div class="chat">
      <Conversations store={store} />
      <section class="talk" aria-label="Conversation">
        {shown === undefined ? <Welcome /> : <Turns conversation={shown} store={store} model={model} />}
        {store.problem === undefined ? null : (
          <p class="problem" role="alert">
            {store.problem}
          </p>
        )}
        {model !== undefined ? null : <p class="note">There is no model to ask yet: fetch one under Models.</p>}
        {store.isConnected ? null : (
          <p class="note" role="status">
            No connection to the queen; the answer goes on once she is back.
          </p>
        )}
        <Composer
          isRunning={store.isRunning}
          canAsk={model !== undefined}
          say={(text) => model !== undefined && store.say(text, model, used)}
          stop={() => void store.stop()}
        >
          <ModelPicker models={models} model={model} choose={choose} />
          <ParameterFields parameters={used} set={set} />
        </Composer>
      </section>
    </div>
  )
}

const Welcome = () => (
  <div class="welcome">
    <h2>Ask your own machines.</h2>
    <p class="note">What you ask stays on them; an answer goes on whichever of them dies.</p>
  </div>
)

const Conversations = ({ store }: { readonly store: ChatStore }) => (
  <aside class="conversations" aria-label="Conversations">
    <button type="button" class="new" onClick={() => store.open(undefined)}>
      New chat
    </button>
    <ul>
      {store.conversations.map(({ id, title }) => (
        <li key={id} class={id === store.current ? "on" : ""}>
          <button type="button" aria-current={id === store.current ? "true" : undefined} onClick={() => store.open(id)}>
            {title === "" ? "(empty)" : title}
          </button>
          <button type="button" class="remove" aria-label={`Delete ${title}`} onClick={() => store.remove(id)}>
            ✕
          </button>
        </li>
      ))}
    </ul>
  </aside>
)

interface TurnsProps {
  readonly conversation: Conversation
  readonly store: ChatStore
  readonly model: string | undefined
}

const Turns = ({ conversation, model, store }: TurnsProps) => {
  const end = useRef<HTMLDivElement>(null)
  const { title, turns } = conversation
  const last = turns.at(-1)
  useEffect(() => {
    // who has scrolled up reads there
    const list = end.current?.parentElement
    if (list && list.scrollHeight - list.scrollTop - list.clientHeight < 160) list.scrollTop = list.scrollHeight
  }, [last])
  return (
    <>
      <header class="title">
        <h2>{title}</h2>
        <button type="button" onClick={() => save(fileOf(conversation), "text/markdown", asMarkdown(conversation))}>
          Export
        </button>
      </header>
      {/* scrolls: so that the keyboard alone reaches it */}
      <div class="turns" tabIndex={0} role="log" aria-label="What was said">
        {turns.map((turn, index) => (
          <TurnView
            key={index}
            turn={turn}
            retry={index === turns.length - 1 && model !== undefined ? () => store.retry(model) : undefined}
          />
        ))}
        <div ref={end} />
      </div>
    </>
  )
}

const fileOf = ({ title }: Conversation): string =>
  `${title.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40) || "chat"}.md`
