/** A batch shared out to processes of this program: the same seeds, the same totals, on more cores. */
import { type ChildProcess, fork } from "node:child_process"
import { type Share, type Totals, add, nothing } from "./batch.ts"

/**
 * Runs `file` once for each share, with `args` and what tells it its share; what they say is said here. The first one
 * whose totals are enough ends the others. Undefined: one ended without its totals.
 */
export const runShares = async (
  file: string,
  args: ReadonlyArray<string>,
  shares: ReadonlyArray<Share>,
  isEnough: (totals: Totals) => boolean
): Promise<Totals | undefined> => {
  const children = shares.map(({ offset, stride }) =>
    fork(file, [...args, "--share", `${offset}/${stride}`], { stdio: "inherit" })
  )
  const enough = (totals: Totals): void => {
    if (isEnough(totals)) for (const child of children) child.disconnect()
  }
  const all = await Promise.all(children.map((child) => totalsOf(child, enough)))
  const known = all.filter((each) => each !== undefined)
  const sum = known.reduce(add, nothing)
  return known.length === all.length || isEnough(sum) ? sum : undefined
}

const totalsOf = (child: ChildProcess, then: (totals: Totals) => void): Promise<Totals | undefined> =>
  new Promise((resolve, reject) => {
    let totals: Totals | undefined
    child.on("message", (message) => {
      // the other end is this program, of the same build
      totals = message as Totals
      then(totals)
    })
    child.on("error", reject)
    child.on("exit", () => resolve(totals))
  })

/** In the process of a share: it ends with whoever wanted it. */
export const endWithParent = (): void => void process.once("disconnect", () => process.exit(1))
