/** The models of the cluster. */
import { call } from "../kit/call.ts"
import { Problem, useActing } from "../kit/acting.tsx"
import { sizeOf } from "../kit/amounts.ts"
import { useRemote } from "../kit/remote.ts"
import { Shown } from "../kit/shown.tsx"
import { Downloads, useDownloads } from "./downloads.tsx"
import { Finding } from "./finding.tsx"
import { Presets } from "./presets.tsx"
import { type Copy, copiesIn } from "./read.ts"

const load = async () => copiesIn(await call("GET", "/catalog/models"))

export const Models = () => {
  const models = useRemote(load)
  return (
    <section class="page" aria-label="Models">
      <h2>Models</h2>
      <Shown of={models}>{(copies) => <Parts copies={copies} again={models.again} />}</Shown>
    </section>
  )
}

/** For who may see them. */
const Parts = ({ again, copies }: OnDiskProps) => {
  const downloads = useDownloads(again)
  return (
    <>
      <Downloads of={downloads} />
      <OnDisk copies={copies} again={again} />
      <Finding fetch={downloads.begin} />
      <Presets models={[...new Set(copies.map(({ ref }) => ref))]} />
    </>
  )
}

interface OnDiskProps {
  readonly copies: ReadonlyArray<Copy>
  readonly again: () => void
}

const OnDisk = ({ again, copies }: OnDiskProps) => {
  const { busy, perform, problem } = useActing(again)
  const pin = (ref: string, hive: string, pinned: boolean) =>
    call("POST", `/catalog/models/${encodeURIComponent(ref)}/pin`, { pinned, hive })
  const remove = (ref: string, hive: string) =>
    call("DELETE", `/catalog/models/${encodeURIComponent(ref)}?hive=${encodeURIComponent(hive)}`)
  return (
    <section aria-label="On disk">
      <h3>On disk</h3>
      <Problem words={problem} />
      {copies.length === 0 ? (
        <p class="note">
          Nothing yet but minillama, which is in the package and answers right away. Find a real one below.
        </p>
      ) : null}
      <ul class="cards">
        {copies.map(({ bytes, context, hive, isInUse, isPinned, purpose, quantization, ref }) => (
          <li key={`${hive} ${ref}`} class="card">
            <h4>{ref}</h4>
            <p>
              {[
                sizeOf(bytes),
                quantization,
                `${context} tokens of context`,
                `on ${hive}`,
                ...(purpose === "chat" || purpose === "" ? [] : [`for ${purpose}`])
              ]
                .filter((fact) => fact !== "")
                .join(" · ")}
            </p>
            <div class="row">
              {isInUse ? <span class="chip">in use</span> : null}
              <button
                type="button"
                aria-label={`${isPinned ? "Kept" : "Keep"}: ${ref} on ${hive}`}
                disabled={busy !== undefined}
                onClick={() => void perform("keep", () => pin(ref, hive, !isPinned))}
              >
                {isPinned ? "Kept" : "Keep"}
              </button>
              <button
                type="button"
                aria-label={`Remove ${ref} from ${hive}`}
                disabled={isInUse || busy !== undefined}
                onClick={() => void perform("remove", () => remove(ref, hive))}
              >
                Remove
              </button>
            </div>
          </li>
        ))}
      </ul>
    </section>
  )
}
