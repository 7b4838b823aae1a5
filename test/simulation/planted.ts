/**
 * Bugs that the simulator must find, each one change of one file, made while a copy is bundled: no switch stands in
 * production code. `npm run bench -- planted` plants them all, one after another.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Plugin } from "esbuild"

export interface Planted {
  readonly name: string
  readonly file: string
  /** stands there exactly once */
  readonly find: string
  readonly instead: string
}

export const planted: ReadonlyArray<Planted> = [
  {
    name: "a resume is off by one",
    file: "src/actors/queen/job-request.ts",
    find: "token_ids: log.tokenIds(), text",
    instead: "token_ids: log.tokenIds().slice(0, -1), text"
  },
  {
    name: "an answer that goes on elsewhere begins anew",
    file: "src/actors/queen/job-request.ts",
    find: "const resume = log.tokens() === 0 ?",
    instead: "const resume = log.tokens() >= 0 ?"
  },
  {
    name: "an epoch is used twice",
    file: "src/actors/queen/job.ts",
    find: "const epoch = log.facts().epoch + 1",
    instead: "const epoch = Math.max(1, log.facts().epoch)"
  },
  {
    name: "tokens are shown that the journal does not have",
    file: "src/actors/queen/job-logs.ts",
    find: "journal.commit(writes)",
    instead: 'if (writes.some((write) => write._tag !== "Tokens")) journal.commit(writes)'
  },
  {
    name: "a cancelled job ends twice",
    file: "src/actors/queen/job-sequence.ts",
    find: 'this.append("cancelled", {})',
    instead: 'this.append("cancelled", {}); this.append("cancelled", {})'
  },
  {
    name: "a lease outlives its worker",
    file: "src/actors/hive/resident.ts",
    find: "yield* Effect.ignoreLogged(this.around.machines.ledger.release(id))",
    instead: ""
  },
  {
    name: "a hive ends before its workers",
    file: "src/actors/hive/hive.ts",
    find: "yield* parts.workers?.stopAll(drainMs) ?? Effect.void",
    instead: ""
  },
  {
    name: "a restart of the queen's machine is not noticed",
    file: "src/actors/queen/reboot.ts",
    find: "if (known?.value === boot) return",
    instead: "return"
  },
  {
    name: "a hive that is back is not taken back",
    file: "src/actors/queen/hives.ts",
    find: 'if (state.matches("cold") || state.matches("failed")) yield*',
    instead: "if (false as boolean) yield*"
  },
  {
    name: "only the first hive is ever woken",
    file: "src/actors/queen/placing.ts",
    find: "for (const { id } of others) {",
    instead: "for (const { id } of others.slice(0, 1)) {"
  }
]

/** How often what is to be replaced stands in its file: once, or the plant has to be adapted. */
export const occurrences = (root: string, { file, find }: Planted): number =>
  readFileSync(join(root, file), "utf8").split(find).length - 1

/** Makes the change while its file is bundled. */
export const plant = (root: string, { file, find, instead }: Planted): Plugin => ({
  name: "plant",
  setup: (build) => {
    const path = join(root, file)
    build.onLoad({ filter: /\.ts$/ }, (args) =>
      args.path === path
        ? { contents: readFileSync(path, "utf8").replace(find, () => instead), loader: "ts" as const }
        : undefined
    )
  }
})
