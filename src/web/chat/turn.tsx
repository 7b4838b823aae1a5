/** One turn of a conversation: what was asked, or an answer with what belongs to it. */
import { Copy } from "../kit/copy.tsx"
import { Prose } from "../kit/prose.tsx"
import type { Answer, Turn } from "./conversation.ts"

export const TurnView = ({ turn, retry }: { readonly turn: Turn; readonly retry: (() => void) | undefined }) =>
  turn.role === "user" ? (
    <article class="turn asked" aria-label="You">
      <p class="said">{turn.content}</p>
    </article>
  ) : (
    <AnswerView answer={turn} retry={retry} />
  )

const AnswerView = ({ answer, retry }: { readonly answer: Answer; readonly retry: (() => void) | undefined }) => {
  const { calls, content, note, reasoning, state } = answer
  const isRunning = state === "running"
  return (
    <article class={`turn answer ${state}`} aria-label="Answer" aria-busy={isRunning} data-state={state}>
      {reasoning === "" ? null : (
        <details class="thought" open={isRunning && content === ""}>
          <summary>{isRunning && content === "" ? "Thinking…" : "What it thought"}</summary>
          <Prose text={reasoning} isWhole={!isRunning || content !== ""} />
        </details>
      )}
      {content === "" ? null : <Prose text={content} isWhole={!isRunning} />}
      {calls.map(({ name, arguments: given }, index) => (
        <details class="call" key={index}>
          <summary>
            Wants to use <code>{name}</code>
          </summary>
          <pre>{given}</pre>
          <Copy text={given} what={`the arguments of ${name}`} />
        </details>
      ))}
      {state === "failed" ? (
        <p class="problem" role="alert">
          {note ?? "The answer failed."}
        </p>
      ) : isRunning && content === "" ? (
        <p class="note">{note ?? "Asking…"}</p>
      ) : null}
      {isRunning ? null : <Footer answer={answer} retry={retry} />}
    </article>
  )
}

const Footer = ({ answer, retry }: { readonly answer: Answer; readonly retry: (() => void) | undefined }) => {
  const { content, failovers, model, state, tokens, tokensPerS } = answer
  const facts = [
    model,
    ...(state === "stopped" ? ["stopped"] : []),
    ...(tokens === 0 ? [] : [`${tokens} tokens`]),
    ...(tokensPerS === undefined ? [] : [`${tokensPerS.toFixed(1)} tokens/s`]),
    ...(failovers === 0 ? [] : [failovers === 1 ? "went on elsewhere once" : `went on elsewhere ${failovers} times`])
  ]
  return (
    <footer>
      <span class="facts">{facts.join(" · ")}</span>
      {content === "" ? null : <Copy text={content} what="the answer" />}
      {retry === undefined ? null : (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </footer>
  )
}
