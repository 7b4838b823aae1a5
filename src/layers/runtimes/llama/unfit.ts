/**
 * Runtimes that were installed and proven not to work here, and why: they are not fetched again, and other ones take
 * their place, for as long as the machine is as it was.
 */
import { readFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { release } from "node:os"
import { join } from "node:path"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../../machines/formats/json/decode.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"
import { cudaVersions, type Env } from "./cuda.ts"
import { type Places, placeOf } from "./places.ts"

const Note = Schema.Struct({
  /** what the runtime's fitness depends on, as it was */
  circumstances: Schema.String,
  reason: Schema.String
})
const decode = decoder(Schema.parseJson(Note))

const fileOf = (places: Places, backend: Backend): string => `${placeOf(places, backend)}.unfit`

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** The kernel, the driver of NVIDIA's and the versions of CUDA. */
const circumstances = async (env: Env, root = "/"): Promise<string> => {
  const driver = textOf(join(root, "sys/module/nvidia/version")).trim()
  return [release(), driver, ...(await cudaVersions(env, root))].join(" ")
}

/** Why this runtime does not work here; undefined where nobody knows better than to try. */
export const whyUnfit = async (
  places: Places,
  backend: Backend,
  env: Env,
  root?: string
): Promise<string | undefined> => {
  const note = decode(textOf(fileOf(places, backend)))
  if (Either.isLeft(note)) return undefined
  return note.right.circumstances === (await circumstances(env, root)) ? note.right.reason : undefined
}

export const noteUnfit = async (
  places: Places,
  backend: Backend,
  env: Env,
  reason: string,
  root?: string
): Promise<void> => {
  const note = { circumstances: await circumstances(env, root), reason }
  await writeFile(fileOf(places, backend), `${JSON.stringify(note)}\n`, { mode: 0o600 })
}
