/** A model of any size, and the hub that has it. */
import { spawn } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

// the bundle lies in .bench/bundle
const root = fileURLToPath(new URL("../..", import.meta.url))
const programs = process.env["RBEE_TEST_PROGRAMS"] ?? `${root}/dist`

/** The bundled model, with noise behind its tensors. */
export const bigModel = (folder: string, megabytes: number): { readonly file: string; readonly sha256: string } => {
  mkdirSync(join(folder, "bench", "big"), { recursive: true })
  const file = join(folder, "bench", "big", "big-Q8_0.gguf")
  const hash = createHash("sha256")
  const out = openSync(file, "w")
  const put = (bytes: Buffer) => {
    hash.update(bytes)
    writeSync(out, bytes)
  }
  put(readFileSync(`${root}/models/minillama/minillama-q8_0.gguf`))
  const noise = randomBytes(8 * 1024 * 1024)
  for (let i = 1; i < megabytes / 8; i++) {
    noise.writeUInt32LE(i, 0)
    put(noise)
  }
  closeSync(out)
  return { file, sha256: hash.digest("hex") }
}

/** `rbee hub`, in a process of its own. */
export const startHub = async (folder: string): Promise<{ readonly url: string; readonly stop: () => void }> => {
  const child = spawn(process.execPath, [`${programs}/rbee.js`, "hub", folder, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  let said = ""
  for await (const text of child.stdout.setEncoding("utf8")) {
    said += String(text)
    const url = / on (http:\S+)\n/.exec(said)?.[1]
    if (url !== undefined) return { url, stop: () => void child.kill("SIGTERM") }
  }
  throw new Error(`the hub ended: ${said}`)
}
