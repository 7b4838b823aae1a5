/** What is being fetched, whoever asked for it: how far it is, how fast, and where it failed, why. */
import { useEffect, useRef, useState } from "preact/hooks"
import { Problem, useActing } from "../kit/acting.tsx"
import { sizeOf } from "../kit/amounts.ts"
import { call, callEvents, refusalIn, wordsOf } from "../kit/call.ts"
import { fields, text } from "../kit/fields.ts"
import { useRemote } from "../kit/remote.ts"
import { type Download, downloadsIn } from "./read.ts"

const everyMs = 1000

const load = async () => downloadsIn(await call("GET", "/catalog/downloads"))

interface Failed {
  readonly hive: string
  readonly ref: string
  readonly why: string
}

/** How one ended: undefined where the model is there, or nobody knows any more. */
const endOf = async ({ hive, id }: Pick<Download, "hive" | "id">): Promise<string | undefined> => {
  let why: string | undefined
  try {
    await callEvents("GET", `/hives/${encodeURIComponent(hive)}/provisions/${id}/events`, (name, data) => {
      if (name === "failed") why = wordsOf(refusalIn(0, data))
    })
  } catch {
    return undefined
  }
  return why
}

export interface OnTheirWay {
  readonly downloads: ReadonlyArray<Download>
  readonly failed: ReadonlyArray<Failed>
  readonly begin: (ref: string, hive?: string) => Promise<boolean>
  readonly cancel: (download: Download) => void
  readonly problem: string | undefined
}

/** `ended`: one has, and what is on disk is another now. */
export const useDownloads = (ended: () => void): OnTheirWay => {
  const remote = useRemote(load, everyMs)
  const { perform, problem } = useActing(remote.again)
  const [failed, setFailed] = useState<ReadonlyArray<Failed>>([])
  const seen = useRef<ReadonlyMap<string, Pick<Download, "hive" | "id" | "ref">>>(new Map())
  const cancelled = useRef(new Set<string>())
  const { value: downloads = [] } = remote
  const look = async (one: Pick<Download, "hive" | "id" | "ref">) => {
    const why = cancelled.current.has(one.id) ? undefined : await endOf(one)
    if (why !== undefined) setFailed((all) => [...all, { hive: one.hive, ref: one.ref, why }])
    ended()
  }
  useEffect(() => {
    if (remote.value === undefined) return
    const now = new Map(remote.value.map((one) => [one.id, one]))
    for (const [id, one] of seen.current) if (!now.has(id)) void look(one)
    seen.current = now
  }, [remote.value])
  return {
    downloads,
    failed,
    problem: problem ?? remote.problem,
    begin: (ref, hive) => {
      setFailed((all) => all.filter((one) => one.ref !== ref))
      return perform(ref, async () => {
        const body = { model_ref: ref, ...(hive === undefined ? {} : { hive }) }
        const begun = fields(await call("POST", "/catalog/models/pull", body))
        const one = { hive: text(begun["hive"]), id: text(begun["provision_id"]), ref: text(begun["model_ref"]) }
        // one that ends before it was seen once is asked for its end all the same
        seen.current = new Map([...seen.current, [one.id, one]])
      })
    },
    cancel: ({ hive, id }) => {
      cancelled.current.add(id)
      void perform("cancel", () => call("DELETE", `/catalog/downloads/${encodeURIComponent(hive)}/${id}`))
    }
  }
}

const facts = ({ hive, rate, received, total }: Download): string =>
  total === undefined
    ? `looked for, on ${hive}`
    : [
        `${Math.floor((100 * received) / Math.max(1, total))} %`,
        `${sizeOf(received)} of ${sizeOf(total)}`,
        ...(rate > 0 ? [`${(rate / 1e6).toFixed(1)} MB/s`] : []),
        `to ${hive}`
      ].join(" · ")

export const Downloads = ({ of: { begin, cancel, downloads, failed, problem } }: { readonly of: OnTheirWay }) => (
  <>
    <Problem words={problem} />
    {downloads.length === 0 && failed.length === 0 ? null : (
      <section aria-label="On their way">
        <h3>On their way</h3>
        <ul class="cards">
          {downloads.map((one) => (
            <li key={one.id} class="card download">
              <h4>{one.ref}</h4>
              <progress
                aria-label={`Download of ${one.ref}`}
                {...(one.total === undefined ? {} : { value: one.received, max: Math.max(1, one.total) })}
              />
              <div class="row">
                <span class="grow">{facts(one)}</span>
                <button type="button" aria-label={`Cancel the download of ${one.ref}`} onClick={() => cancel(one)}>
                  Cancel
                </button>
              </div>
            </li>
          ))}
          {failed.map(({ hive, ref, why }) => (
            <li key={`${hive} ${ref}`} class="card">
              <h4>{ref}</h4>
              <Problem words={why} />
              <div class="row">
                <button type="button" aria-label={`Go on with ${ref}`} onClick={() => void begin(ref, hive)}>
                  Go on
                </button>
              </div>
            </li>
          ))}
        </ul>
      </section>
    )}
  </>
)
