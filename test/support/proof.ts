/**
 * The long proofs. `npm run proof` (tools/proof.mjs) sets RBEE_PROOF, and they run whole; `npm test` runs a sample of
 * each, drawn by a fixed seed, so that what fails once is found again.
 */
import { SeededRandom } from "../../src/simulator/world/kernel/random.ts"

export const isWhole = process.env["RBEE_PROOF"] === "1"

/** All of them, or `count`, in the order that they have. */
export const sampleOf = <A>(all: ReadonlyArray<A>, count: number): ReadonlyArray<A> => {
  if (isWhole) return all
  const random = new SeededRandom(1)
  const drawn = all.map((one, at) => ({ one, at, lot: random.next() })).toSorted((a, b) => a.lot - b.lot)
  return drawn
    .slice(0, count)
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
