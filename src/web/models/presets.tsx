/** Models under names of one's own, each with what it sets: the entries of the queen's configuration. */
import { useState } from "preact/hooks"
import { Problem, useActing } from "../kit/acting.tsx"
import { call } from "../kit/call.ts"
import { useRemote } from "../kit/remote.ts"
import { Shown } from "../kit/shown.tsx"
import { PresetForm } from "./preset-form.tsx"
import { entriesIn, type Entry, whatIsSet } from "./read.ts"

export const loadEntries = async () => entriesIn(await call("GET", "/catalog/entries"))

const pathOf = (name: string): string => `/catalog/entries/${encodeURIComponent(name)}`

export const Presets = ({ models }: { readonly models: ReadonlyArray<string> }) => {
  const entries = useRemote(loadEntries)
  const { busy, perform, problem } = useActing(entries.again)
  /** the one that is changed; "": a new one */
  const [edited, edit] = useState<string | undefined>(undefined)
  const save = async (name: string, body: object) => {
    if (await perform("save", () => call("POST", pathOf(name), body))) edit(undefined)
  }
  return (
    <section aria-label="Presets">
      <h3>Presets</h3>
      <p class="note">
        A name of your own for a model, with a system prompt and parameters: picked in the chat, and by every client.
      </p>
      <Problem words={problem} />
      <Shown of={entries}>
        {({ all, defaultModel }) => (
          <>
            <ul class="cards">
              {all.map((entry) =>
                entry.name === edited ? (
                  <li key={entry.name} class="card">
                    <PresetForm entry={entry} models={models} save={save} leave={() => edit(undefined)} />
                  </li>
                ) : (
                  <Preset
                    key={entry.name}
                    entry={entry}
                    isDefault={entry.name === defaultModel}
                    isBusy={busy !== undefined}
                    edit={() => edit(entry.name)}
                    makeDefault={() =>
                      void perform("default", () => call("POST", pathOf(entry.name), { default: true }))
                    }
                    remove={() => void perform("remove", () => call("DELETE", pathOf(entry.name)))}
                  />
                )
              )}
            </ul>
            {edited === "" ? (
              <div class="card">
                <PresetForm entry={undefined} models={models} save={save} leave={() => edit(undefined)} />
              </div>
            ) : (
              <div class="row">
                <button type="button" class="edged" onClick={() => edit("")}>
                  New preset
                </button>
              </div>
            )}
          </>
        )}
      </Shown>
    </section>
  )
}

interface PresetProps {
  readonly entry: Entry
  readonly isDefault: boolean
  readonly isBusy: boolean
  readonly edit: () => void
  readonly makeDefault: () => void
  readonly remove: () => void
}

const Preset = ({ edit, entry, isBusy, isDefault, makeDefault, remove }: PresetProps) => {
  const { aliases, name, ref } = entry
  const set = whatIsSet(entry)
  return (
    <li class="card">
      <h4>
        {name} {isDefault ? <span class="chip">default</span> : null}
      </h4>
      <p>{[ref, ...(aliases.length === 0 ? [] : [`also called ${aliases.join(", ")}`])].join(" · ")}</p>
      {set === "" ? null : <p class="note">{set}</p>}
      <div class="row">
        <button type="button" aria-label={`Change ${name}`} onClick={edit}>
          Change
        </button>
        {isDefault ? null : (
          <button type="button" aria-label={`Make it the default: ${name}`} disabled={isBusy} onClick={makeDefault}>
            Make it the default
          </button>
        )}
        <button type="button" aria-label={`Remove ${name}`} disabled={isBusy} onClick={remove}>
          Remove
        </button>
      </div>
    </li>
  )
}
