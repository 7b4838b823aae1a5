/** A batch shared out to processes of this program: the same seeds, the same totals, on more cores. */
import { fork } from "node:child_process"
import { type Share, type Totals, add, nothing } from "./batch.ts"

/** Runs `file` once for each share, with `args` and what tells it its share; what they say is said here. */
export const runShares = (
  file: string,
  args: ReadonlyArray<string>,
  shares: ReadonlyArray<Share>
): Promise<Totals | undefined> =>
  Promise.all(shares.map((share) => runOne(file, [...args, "--share", `${share.offset}/${share.stride}`]))).then(
    (all) => all.reduce<Totals | undefined>((sum, each) => (sum && each ? add(sum, each) : undefined), nothing)
  )

/** Its totals; undefined: it ended without them. */
const runOne = (file: string, args: ReadonlyArray<string>): Promise<Totals | undefined> =>
  new Promise((resolve, reject) => {
    const child = fork(file, args, { stdio: "inherit" })
    let totals: Totals | undefined
    // the other end is this program, of the same build
    child.on("message", (message) => (totals = message as Totals))
    child.on("error", reject)
    child.on("exit", () => resolve(totals))
  })
