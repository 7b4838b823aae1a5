/** Where the next question is written: the text, the model, and how it is to answer. */
import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Askable, ModelList } from "./askable.ts"
import type { Parameters } from "./conversation.ts"

interface ComposerProps {
  readonly isRunning: boolean
  readonly canAsk: boolean
  readonly say: (text: string) => void
  readonly stop: () => void
  readonly children: ComponentChildren
}

export const Composer = ({ canAsk, children, isRunning, say, stop }: ComposerProps) => {
  const [text, setText] = useState("")
  const [image, setImage] = useState<string | undefined>(undefined)
  const field = useRef<HTMLTextAreaElement>(null)
  const noteImages = (files: DataTransfer | null) =>
    setImage([...(files?.files ?? [])].find(({ type }) => type.startsWith("image/"))?.name)
  useEffect(() => field.current?.focus(), [])
  const send = () => {
    if (text.trim() === "" || isRunning || !canAsk) return
    say(text)
    setText("")
  }
  return (
    <form
      class="composer"
      onPaste={({ clipboardData }) => noteImages(clipboardData)}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault()
        noteImages(event.dataTransfer)
      }}
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <textarea
        ref={field}
        aria-label="Your message"
        placeholder="Ask something"
        rows={3}
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
        onKeyDown={(event) => {
          // while a word is put together, Enter is that word's
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
          event.preventDefault()
          send()
        }}
      />
      {image === undefined ? null : (
        <p class="note" role="status">
          {image} is not sent: models are asked with text alone here, images are not served yet.
        </p>
      )}
      <div class="row">
        {children}
        <span class="grow" />
        {isRunning ? (
          <button type="button" class="main" onClick={stop}>
            Stop
          </button>
        ) : (
          <button type="submit" class="main" disabled={text.trim() === "" || !canAsk}>
            Send
          </button>
        )}
      </div>
    </form>
  )
}

interface PickerProps {
  readonly models: ModelList
  readonly model: string | undefined
  readonly choose: (model: string) => void
}

export const ModelPicker = ({ choose, model, models: { all } }: PickerProps) => {
  const presets = all.filter(({ standsFor }) => standsFor !== undefined)
  const picked = presets.find(({ name }) => name === model)
  return (
    <>
      <label>
        Model{" "}
        <select value={model} onChange={({ currentTarget }) => choose(currentTarget.value)}>
          {presets.length === 0 ? (
            <Options of={all} />
          ) : (
            <>
              <optgroup label="Presets">
                <Options of={presets} />
              </optgroup>
              <optgroup label="Models">
                <Options of={all.filter((one) => !presets.includes(one))} />
              </optgroup>
            </>
          )}
        </select>
      </label>
      {picked === undefined ? null : (
        <span class="note">{picked.standsFor} with a prompt and parameters of its own, where you set none</span>
      )}
    </>
  )
}

const Options = ({ of }: { readonly of: ReadonlyArray<Askable> }) => (
  <>
    {of.map(({ name }) => (
      <option key={name} value={name}>
        {name}
      </option>
    ))}
  </>
)

const numberIn = (text: string): number | undefined => {
  const value = Number(text)
  return text.trim() === "" || !Number.isFinite(value) ? undefined : value
}

interface FieldsProps {
  readonly parameters: Parameters
  readonly set: (parameters: Parameters) => void
}

export const ParameterFields = ({ parameters, set }: FieldsProps) => (
  <details class="parameters">
    <summary>Settings</summary>
    <div class="fields">
      <label>
        System prompt
        <textarea
          rows={2}
          value={parameters.system}
          onInput={({ currentTarget }) => set({ ...parameters, system: currentTarget.value })}
        />
      </label>
      <label>
        Temperature
        <input
          type="number"
          min="0"
          max="2"
          step="0.1"
          value={parameters.temperature ?? ""}
          onInput={({ currentTarget }) => set({ ...parameters, temperature: numberIn(currentTarget.value) })}
        />
      </label>
      <label>
        Tokens at most
        <input
          type="number"
          min="1"
          value={parameters.maxTokens ?? ""}
          onInput={({ currentTarget }) => set({ ...parameters, maxTokens: numberIn(currentTarget.value) })}
        />
      </label>
    </div>
  </details>
)
