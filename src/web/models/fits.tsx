/** What of a repository fits which device of the cluster; a button fetches it there. */
import { useEffect, useState } from "preact/hooks"
import { Problem, useActing } from "../kit/acting.tsx"
import { megabytes, sizeOf } from "../kit/amounts.ts"
import { call } from "../kit/call.ts"
import { type Fit, fitsIn, type Place } from "./read.ts"

export type Fetch = (ref: string, hive?: string) => Promise<boolean>

interface FitsProps {
  readonly model: string
  readonly fetch: Fetch
}

export const Fits = ({ fetch, model }: FitsProps) => {
  const [fits, setFits] = useState<ReadonlyArray<Fit> | undefined>(undefined)
  const { busy, perform, problem } = useActing(() => undefined)
  useEffect(() => {
    void perform("look", async () => {
      setFits(fitsIn(await call("GET", `/catalog/fits?model=${encodeURIComponent(model)}`)))
    })
  }, [model])
  if (fits === undefined)
    return busy === undefined ? (
      <Problem words={problem} />
    ) : (
      <p class="note" role="status">
        Comparing it with the devices…
      </p>
    )
  return (
    <>
      {fits.length === 0 ? (
        <div class="row">
          <span class="note">The devices of no machine are known yet: wake one under Machines, or</span>
          <button type="button" onClick={() => void fetch(model)}>
            Fetch it all the same
          </button>
        </div>
      ) : null}
      <ul class="fits" aria-label={`What of ${model} fits`}>
        {fits.map((one) => (
          <Offered key={one.ref} fit={one} fetch={fetch} />
        ))}
      </ul>
    </>
  )
}

const verdict = ({ availableMb, context, fits, memoryMb, slots, tokensPerS }: Place): string => {
  if (fits === "no") return `does not fit: ${megabytes(memoryMb)} of ${megabytes(availableMb)}`
  const facts = [
    fits === "yes" ? "fits" : "fits when others make room",
    megabytes(memoryMb),
    `${slots} × ${context} tokens of context`,
    tokensPerS === undefined ? "speed not known yet" : `about ${tokensPerS} tokens/s`
  ]
  return facts.join(" · ")
}

const Offered = ({ fetch, fit }: { readonly fit: Fit; readonly fetch: Fetch }) => {
  const { bytes, name, places, ref } = fit
  const hives = [...new Set(places.filter(({ fits }) => fits !== "no").map(({ hive }) => hive))]
  return (
    <li>
      <p>
        <strong>{name}</strong> {sizeOf(bytes)}
      </p>
      <ul>
        {places.map((place) => (
          <li key={`${place.hive} ${place.device}`} class={`fit-${place.fits}`}>
            {place.device.toUpperCase()} of {place.hive} ({place.name}): {verdict(place)}
          </li>
        ))}
      </ul>
      <div class="row">
        {hives.map((hive) => (
          <button
            key={hive}
            type="button"
            aria-label={`Fetch to ${hive}: ${ref}`}
            onClick={() => void fetch(ref, hive)}
          >
            Fetch to {hive}
          </button>
        ))}
      </div>
    </li>
  )
}
