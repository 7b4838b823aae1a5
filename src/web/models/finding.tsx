/** Models that are not here yet: by words on the hub, or by a reference; what of them fits where, and fetching it. */
import { useState } from "preact/hooks"
import { Problem, useActing } from "../kit/acting.tsx"
import { grouped, sizeOf } from "../kit/amounts.ts"
import { call } from "../kit/call.ts"
import { type Fetch, Fits } from "./fits.tsx"
import { repositoriesIn, type Repository } from "./read.ts"

/** `HF:author/model:Q4_K_M`, `file:/…`, an address: no words. */
const isReference = (text: string): boolean => /^(hf|file|https?|ollama):|^[\w.-]+\/[\w.-]+(:\S+)?$/i.test(text)

export const Finding = ({ fetch }: { readonly fetch: Fetch }) => {
  const [asked, setAsked] = useState("")
  const [found, setFound] = useState<ReadonlyArray<Repository> | undefined>(undefined)
  const [reference, setReference] = useState<string | undefined>(undefined)
  const { busy, perform, problem } = useActing(() => undefined)
  const search = async () => {
    const words = asked.trim()
    if (words === "") return
    setFound(undefined)
    setReference(isReference(words) ? words : undefined)
    if (isReference(words)) return
    await perform("search", async () => {
      setFound(repositoriesIn(await call("GET", `/catalog/offers?words=${encodeURIComponent(words)}`)))
    })
  }
  return (
    <section aria-label="Find a model">
      <h3>Find a model</h3>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault()
          void search()
        }}
      >
        <label class="wide">
          Words, or a reference{" "}
          <input
            type="search"
            placeholder="qwen3 4b, or HF:author/model"
            value={asked}
            onInput={({ currentTarget }) => setAsked(currentTarget.value)}
          />
        </label>
        <button type="submit" class="main" disabled={asked.trim() === "" || busy !== undefined}>
          Find
        </button>
      </form>
      <Problem words={problem} />
      {busy === undefined ? null : (
        <p class="note" role="status">
          Asking the hub…
        </p>
      )}
      {reference === undefined ? null : <Fits model={reference} fetch={fetch} key={reference} />}
      {found === undefined ? null : found.length === 0 ? (
        <p class="note" role="status">
          The hub has no such repository with models that are served here.
        </p>
      ) : (
        <ul class="cards" aria-label="Repositories">
          {found.map((repository) => (
            <Found key={repository.repo} repository={repository} fetch={fetch} />
          ))}
        </ul>
      )}
    </section>
  )
}

const told = 6

const Found = ({ fetch, repository }: { readonly repository: Repository; readonly fetch: Fetch }) => {
  const { downloads, isGated, likes, models, problem, repo } = repository
  const [isOpen, open] = useState(false)
  const facts = [
    ...(downloads === undefined ? [] : [`${grouped(downloads)} downloads`]),
    ...(likes === undefined ? [] : [`${grouped(likes)} likes`]),
    ...(isGated ? ["for those whom its author has let in"] : [])
  ]
  const sizes = models.slice(0, told).map(({ bytes, name }) => `${name} ${sizeOf(bytes)}`)
  return (
    <li class="card">
      <h4>{repo}</h4>
      {facts.length === 0 ? null : <p class="note">{facts.join(" · ")}</p>}
      <p>
        {problem ??
          (models.length === 0
            ? "No model that is served here."
            : [...sizes, ...(models.length > told ? [`${models.length - told} more`] : [])].join(", "))}
      </p>
      {models.length === 0 ? null : (
        <div class="row">
          <button
            type="button"
            aria-expanded={isOpen}
            aria-label={`What fits here of ${repo}`}
            onClick={() => open(!isOpen)}
          >
            What fits here
          </button>
        </div>
      )}
      {isOpen ? <Fits model={`HF:${repo}`} fetch={fetch} /> : null}
    </li>
  )
}
