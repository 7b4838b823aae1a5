/** The machines that could be added, for who asks: none of them is contacted, and none is added by that. */
import { useState } from "preact/hooks"
import { Problem, useActing } from "../kit/acting.tsx"
import { call } from "../kit/call.ts"
import { type Candidate, candidatesIn } from "./read.ts"
import type { TypedPlace } from "./typed-place.ts"

const placeOf = ({ host, mac, name, port }: Candidate): Partial<TypedPlace> => ({
  id: name,
  host,
  mac,
  port: port === undefined ? "" : String(port)
})

export const Discovered = ({ pick }: { readonly pick: (place: Partial<TypedPlace>) => void }) => {
  const [found, setFound] = useState<ReadonlyArray<Candidate> | undefined>(undefined)
  const { busy, perform, problem } = useActing(() => undefined)
  const look = () => void perform("look", async () => setFound(candidatesIn(await call("GET", "/hives/discovered"))))
  return (
    <div class="whole discovered">
      <button type="button" class="edged" disabled={busy !== undefined} onClick={look}>
        {busy === undefined ? "Look around" : "Looking around…"}
      </button>
      <Problem words={problem} />
      {found === undefined ? null : found.length === 0 ? (
        <p class="note" role="status">
          No machine is known to ssh there, or announces ssh.
        </p>
      ) : (
        <ul aria-label="Machines that could be added">
          {found.map((one) => (
            <li key={`${one.name} ${one.host}`} class="row">
              {one.obstacle === undefined ? (
                <button type="button" class="edged" onClick={() => pick(placeOf(one))}>
                  {one.name}
                </button>
              ) : (
                <span>{one.name}</span>
              )}
              <span class="note">
                {[one.host, one.foundIn, one.obstacle ?? ""].filter((fact) => fact !== "").join(" · ")}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
