/** A projector (mmproj) beside a model: by its name, and by what it makes. */
import { open, readdir, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import { readProjector } from "../../machines/formats/gguf/projector.ts"

/** of a folder; more are not looked at */
const most = 32
const firstBytes = 64 * 1024

interface Found {
  readonly file: string
  readonly bytes: number
  readonly width: number | undefined
}

/** Undefined: it is none, or cannot be read. */
const look = async (file: string): Promise<Found | undefined> => {
  const found = await stat(file).catch(() => undefined)
  const handle = found?.isFile() === true ? await open(file, "r").catch(() => undefined) : undefined
  if (found === undefined || handle === undefined) return undefined
  try {
    for (let want = Math.min(found.size, firstBytes); ;) {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(want), 0, want, 0)
      const read = readProjector(buffer.subarray(0, bytesRead), found.size)
      if (read._tag === "Other") return undefined
      if (read._tag === "Projector") return { file, bytes: found.size, width: read.width }
      if (read.bytes <= want) return undefined
      want = read.bytes
    }
  } finally {
    await handle.close()
  }
}

/** The one whose tokens are as wide as the model's; where none says so of itself, the only one that there is. */
export const projectorBeside = async (
  model: string,
  width: number
): Promise<{ readonly file: string; readonly bytes: number } | undefined> => {
  const folder = dirname(model)
  const names = (await readdir(folder).catch(() => [])).filter((name) => /mmproj.*\.gguf$/i.test(name))
  const looked = await Promise.all(
    names
      .toSorted()
      .slice(0, most)
      .map((name) => look(join(folder, name)))
  )
  const found = looked.filter((one) => one !== undefined)
  const pair = found.find((one) => one.width === width) ?? (found.length === 1 ? found[0] : undefined)
  return pair === undefined ? undefined : { file: pair.file, bytes: pair.bytes }
}
