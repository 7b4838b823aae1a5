/** The models on the cluster's disks: kept, removed, and fetched. */
import { useState } from "preact/hooks"
import { call, wordsOf } from "../kit/call.ts"
import { copiesIn, sizeOf } from "./read.ts"
import { useRemote } from "./remote.ts"
import { Shown } from "./shown.tsx"

const load = async () => copiesIn(await call("GET", "/catalog/models"))

export const Models = () => {
  const models = useRemote(load)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const perform = async (asked: Promise<unknown>) => {
    try {
      await asked
      setProblem(undefined)
    } catch (error) {
      setProblem(wordsOf(error))
    }
    models.again()
  }
  const pin = (ref: string, hive: string, pinned: boolean) =>
    call("POST", `/catalog/models/${encodeURIComponent(ref)}/pin`, { pinned, hive })
  const remove = (ref: string, hive: string) =>
    call("DELETE", `/catalog/models/${encodeURIComponent(ref)}?hive=${encodeURIComponent(hive)}`)
  return (
    <section class="page" aria-label="Models">
      <h2>Models</h2>
      <Shown of={models}>
        {(copies) => (
          <>
            {problem === undefined ? null : (
              <p class="problem" role="alert">
                {problem}
              </p>
            )}
            <Fetch fetch={(model_ref) => void perform(call("POST", "/catalog/models/pull", { model_ref }))} />
            <ul class="cards">
              {copies.map(({ bytes, context, hive, isInUse, isPinned, quantization, ref }) => (
                <li key={`${hive} ${ref}`} class="card">
                  <h3>{ref}</h3>
                  <p>
                    {[sizeOf(bytes), quantization, `${context} tokens of context`, `on ${hive}`]
                      .filter((fact) => fact !== "")
                      .join(" · ")}
                  </p>
                  <div class="row">
                    {isInUse ? <span class="chip">in use</span> : null}
                    <button
                      type="button"
                      aria-pressed={isPinned}
                      onClick={() => void perform(pin(ref, hive, !isPinned))}
                    >
                      {isPinned ? "Kept" : "Keep"}
                    </button>
                    <button type="button" disabled={isInUse} onClick={() => void perform(remove(ref, hive))}>
                      Remove
                    </button>
                  </div>
                </li>
              ))}
            </ul>
          </>
        )}
      </Shown>
    </section>
  )
}

const Fetch = ({ fetch }: { readonly fetch: (ref: string) => void }) => {
  const [ref, setRef] = useState("")
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault()
        if (ref.trim() === "") return
        fetch(ref.trim())
        setRef("")
      }}
    >
      <label class="wide">
        Fetch a model{" "}
        <input placeholder="HF:author/model" value={ref} onInput={({ currentTarget }) => setRef(currentTarget.value)} />
      </label>
      <button type="submit" class="main" disabled={ref.trim() === ""}>
        Fetch
      </button>
    </form>
  )
}
