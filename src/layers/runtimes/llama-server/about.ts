/** What a llama-server says of itself: its version, and the devices that it was built for. */
import { execFile } from "node:child_process"
import { statSync } from "node:fs"
import { confine } from "../../process/confine.ts"
import { type Env, nativeEnvironment } from "../../process/environment.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"

export interface About {
  /** "0.4.0-dev (build 1, commit 80fb11a)" */
  readonly version: string
  readonly backends: ReadonlyArray<Backend>
}

/** What it said, or why it cannot be used. */
export type Told = About | { readonly reason: string }

const sayMs = 10_000

const said = (program: string, args: ReadonlyArray<string>, env: Env): Promise<string | { readonly reason: string }> =>
  new Promise((resolve) => {
    const [command, ...rest] = confine({ command: program, args })
    const options = { timeout: sayMs, killSignal: "SIGKILL", env: nativeEnvironment(env) } as const
    execFile(command, rest, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout + stderr)
      const words = (stderr.trim().split("\n").at(-1) ?? "").replace(/\S*[/\\]/g, "").slice(0, 200)
      resolve({
        reason: `${words === "" ? "no word of it" : words} (${error.signal ?? `exit code ${error.code ?? "unknown"}`})`
      })
    })
  })

/** As ggml calls its devices. */
const names = { cuda: /^\s*(CUDA|ROCm|HIP)\d+:/m, vulkan: /^\s*Vulkan\d+:/m, metal: /^\s*(Metal|MTL)\d*:/m } as const

const ask = async (program: string, env: Env): Promise<Told> => {
  const told = await said(program, ["--version"], env)
  if (typeof told !== "string") return told
  const version = /^version: *(.+)$/m.exec(told)?.[1]?.trim()
  if (version === undefined) return { reason: "it does not say its version as llama-server does" }
  const devices = await said(program, ["--list-devices"], env)
  const listed = typeof devices === "string" ? devices : ""
  const gpus = (["cuda", "vulkan", "metal"] as const).filter((backend) => names[backend].test(listed))
  return { version: version.slice(0, 120), backends: ["cpu", ...gpus] }
}

/** By the file as it is: one that was replaced is asked anew. */
const known = new Map<string, Promise<Told>>()
const knownMax = 8

export const about = (program: string, env: Env): Promise<Told> => {
  const stat = statSync(program, { throwIfNoEntry: false, bigint: true })
  if (stat === undefined) return Promise.resolve({ reason: "it is not there" })
  const key = [stat.ino, stat.size, stat.mtimeNs, program].join(" ")
  const before = known.get(key)
  if (before !== undefined) return before
  const asked = ask(program, env)
  known.set(key, asked)
  for (const oldest of [...known.keys()].slice(0, -knownMax)) known.delete(oldest)
  // what failed may have been the moment's
  void asked.then((told) => ("reason" in told ? known.delete(key) : undefined))
  return asked
}
