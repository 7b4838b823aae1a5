/** One preset's fields; what is left empty is not said, and what is not shown here stays as it is in the configuration. */
import { useState } from "preact/hooks"
import { FormEnd } from "../kit/acting.tsx"
import { useFocused } from "../kit/focused.ts"
import { changeOf, type Draft, draftOf } from "./draft.ts"
import type { Entry } from "./read.ts"

interface FormProps {
  /** undefined: a new one */
  readonly entry: Entry | undefined
  readonly models: ReadonlyArray<string>
  readonly save: (name: string, body: object) => Promise<void>
  readonly leave: () => void
}

export const PresetForm = ({ entry, leave, models, save }: FormProps) => {
  const [draft, setDraft] = useState<Draft>(draftOf(entry))
  const form = useFocused<HTMLFormElement>()
  const set = (changed: Partial<Draft>) => setDraft({ ...draft, ...changed })
  return (
    <form
      class="fields"
      ref={form}
      tabIndex={-1}
      aria-label={entry === undefined ? "New preset" : `Preset ${entry.name}`}
      onSubmit={(event) => {
        event.preventDefault()
        void save(draft.name.trim(), changeOf(entry, draft))
      }}
    >
      {entry === undefined ? (
        <label>
          Name
          <input required value={draft.name} onInput={({ currentTarget }) => set({ name: currentTarget.value })} />
        </label>
      ) : (
        <h4>{entry.name}</h4>
      )}
      <label>
        Model
        <input
          required
          list="known-models"
          value={draft.ref}
          onInput={({ currentTarget }) => set({ ref: currentTarget.value })}
        />
      </label>
      <datalist id="known-models">
        {models.map((model) => (
          <option key={model} value={model} />
        ))}
      </datalist>
      <label class="whole">
        System prompt
        <textarea rows={3} value={draft.system} onInput={({ currentTarget }) => set({ system: currentTarget.value })} />
      </label>
      <label>
        Temperature
        <input
          type="number"
          min="0"
          max="2"
          step="any"
          value={draft.temperature}
          onInput={({ currentTarget }) => set({ temperature: currentTarget.value })}
        />
      </label>
      <label>
        Tokens at most
        <input
          type="number"
          min="1"
          value={draft.max_tokens}
          onInput={({ currentTarget }) => set({ max_tokens: currentTarget.value })}
        />
      </label>
      <label>
        Context
        <input
          type="number"
          min="16"
          value={draft.context}
          onInput={({ currentTarget }) => set({ context: currentTarget.value })}
        />
      </label>
      <label>
        Thinking
        <select value={draft.reasoning} onChange={({ currentTarget }) => set({ reasoning: currentTarget.value })}>
          <option value="">as the model likes</option>
          {["off", "minimal", "low", "medium", "high"].map((effort) => (
            <option key={effort}>{effort}</option>
          ))}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={draft.keep_loaded}
          onChange={({ currentTarget }) => set({ keep_loaded: currentTarget.checked })}
        />{" "}
        Keep it loaded
      </label>
      <FormEnd does="Save" leave={leave} />
    </form>
  )
}
