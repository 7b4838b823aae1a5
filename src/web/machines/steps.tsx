/** The steps by which a machine is added or set up, as they run; what ssh asks is answered here. */
import { useEffect, useRef, useState } from "preact/hooks"
import { Problem } from "../kit/acting.tsx"
import { useFocused } from "../kit/focused.ts"
import { Adding, type Question, type Step, titles, type Wanted } from "./adding.ts"

interface StepsProps {
  readonly id: string
  /** undefined: it was added before */
  readonly wanted: Wanted | undefined
  /** a step is done: what is known of the machine is another now */
  readonly again: () => void
  readonly leave: () => void
}

export const Steps = ({ again, id, leave, wanted }: StepsProps) => {
  const [, redraw] = useState(0)
  const adding = useRef<Adding | undefined>(undefined)
  adding.current ??= new Adding(id, wanted, () => redraw((count) => count + 1))
  const { current } = adding
  const run = async (act: () => Promise<void>) => {
    await act()
    again()
  }
  useEffect(() => void run(() => current.run()), [])
  const { isDone, isRunning, question, steps } = current
  const section = useFocused<HTMLElement>()
  return (
    <section class="card" ref={section} tabIndex={-1} aria-label={`Setting up ${id}`}>
      <h3>{wanted === undefined ? `Setting up ${id}` : `Adding ${id}`}</h3>
      <ol class="steps" aria-live="polite">
        {steps.map((step) => (
          <StepView key={step.name} step={step} />
        ))}
      </ol>
      {question === undefined ? null : (
        <Ask
          question={question}
          trust={(fingerprint) => void run(() => current.trust(fingerprint))}
          unlock={(file, passphrase) => void run(() => current.unlock(file, passphrase))}
        />
      )}
      {isDone ? <p role="status">{id} is ready: the next question may be answered there.</p> : null}
      <div class="row">
        {isRunning || isDone || question !== undefined ? null : (
          <button type="button" class="main" onClick={() => void run(() => current.run())}>
            Try again
          </button>
        )}
        {isRunning ? null : (
          <button type="button" onClick={leave}>
            {isDone ? "Good" : "Leave it"}
          </button>
        )}
      </div>
    </section>
  )
}

const signs = { waiting: "○", running: "…", done: "✓", failed: "✗" } as const

const StepView = ({ step: { lines, name, problem, state } }: { readonly step: Step }) => (
  <li class={`step ${state}`} data-step={name} data-state={state}>
    <span aria-hidden="true">{signs[state]}</span> {titles[name]}
    <span class="unseen"> {state}</span>
    {lines.length === 0 ? null : (
      <ul>
        {lines.map((line, index) => (
          <li key={index}>{line}</li>
        ))}
      </ul>
    )}
    {state === "failed" ? <Problem words={problem} /> : null}
  </li>
)

interface AskProps {
  readonly question: Question
  readonly trust: (fingerprint: string) => void
  readonly unlock: (file: string, passphrase: string) => void
}

const Ask = ({ question, trust, unlock }: AskProps) => {
  const [passphrase, setPassphrase] = useState("")
  if (question.kind === "host key")
    return (
      <div class="question" role="group" aria-label="Its host key">
        <p>
          Compare this with <code>ssh-keygen -lf /etc/ssh/ssh_host_*.pub</code> there:
        </p>
        <p>
          <code>{question.fingerprint}</code>
        </p>
        <button type="button" class="main" onClick={() => trust(question.fingerprint)}>
          It is right: record it
        </button>
      </div>
    )
  return (
    <form
      class="question row"
      onSubmit={(event) => {
        event.preventDefault()
        unlock(question.file, passphrase)
        setPassphrase("")
      }}
    >
      <label>
        Passphrase of {question.file}{" "}
        <input
          type="password"
          autocomplete="off"
          value={passphrase}
          onInput={({ currentTarget }) => setPassphrase(currentTarget.value)}
        />
      </label>
      <button type="submit" class="main">
        Unlock
      </button>
    </form>
  )
}
