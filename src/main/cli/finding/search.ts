/** `rbee models search WORDS`: repositories of the hub that have models which are served here. Wakes nobody. */
import * as Effect from "effect/Effect"
import { hubOffers } from "../../../layers/model-offers/hub.ts"
import type { OfferedRepo } from "../../../layers/models/hugging-face/offers.ts"
import { printable } from "../../../layers/terminal/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { Context } from "../spec.ts"
import { roomOf, table } from "../table.ts"
import type { Found } from "../../../protocol/queen/finding.ts"
import { sizeOf } from "./sizes.ts"

export const limitMost = 50
const limitUsual = 10
/** of a repository as many quantisations are told; --json has all of them */
const told = 6

const modelsText = ({ models, problem }: OfferedRepo): string => {
  if (problem !== undefined) return problem
  if (models.length === 0) return "no model that is served here"
  const shown = models.slice(0, told).map(({ bytes, file, quantization }) => `${quantization ?? file} ${sizeOf(bytes)}`)
  return [...shown, ...(models.length > told ? [`${models.length - told} more`] : [])].join(", ")
}

const text = (repos: ReadonlyArray<OfferedRepo>, room: number | undefined): string =>
  table(
    ["REPOSITORY", "DOWNLOADS", "LIKES", "MODELS"],
    repos.map((repo) =>
      [
        `HF:${repo.repo}`,
        repo.downloads === undefined ? "-" : String(repo.downloads),
        repo.likes === undefined ? "-" : String(repo.likes),
        `${repo.gated === true ? "(gated) " : ""}${modelsText(repo)}`
      ].map(printable)
    ),
    room
  )

export const search = (
  words: ReadonlyArray<string>,
  flags: { readonly limit: number | undefined; readonly json: boolean },
  context: Context
): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    const wanted = words.join(" ").trim()
    if (wanted === "")
      return yield* rbeeError("INVALID_REQUEST", "there are no words to search for", "", { usage: true })
    const look = hubOffers(process.env).search(wanted, flags.limit ?? limitUsual)
    const found = yield* Effect.raceFirst(look, context.terminal.interrupted)
    if (typeof found === "number") return found
    const { stderr, stdout } = context.terminal
    const printed: Found = found
    if (flags.json) stdout.write(`${JSON.stringify(printed)}\n`)
    else if (found.length === 0) stderr.write("the hub has no such repository with GGUF files\n")
    else {
      stdout.write(text(found, roomOf(stdout)))
      stderr.write("what fits your devices: rbee models fit REPOSITORY\n")
    }
    return found.length === 0 ? 1 : 0
  })
