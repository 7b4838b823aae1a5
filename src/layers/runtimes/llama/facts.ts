/** What there is of llama.cpp here, and of what its build for CUDA needs: looked at, in a child where it is loaded. */
import { execFile } from "node:child_process"
import type { CudaFacts, EngineFacts } from "../../../machines/doctor/engine.ts"
import { confine } from "../../process/confine.ts"
import { type Env, nativeEnvironment } from "../../process/environment.ts"
import { cudaVersions } from "./cuda.ts"
import { findBinary, packages, type Places } from "./places.ts"
import { whyUnfit } from "./unfit.ts"

const loadMs = 10_000

/** Loads the addon in argv[1] and asks it something. */
const program = `
const addon = require(process.argv[1])
addon.markLoaded()
addon.setLogger(() => {})
addon.loadBackends()
addon.getGpuType()
`

/** Undefined: it can be loaded. */
const whyNot = (file: string, env: Env): Promise<string | undefined> =>
  new Promise((resolve) => {
    const [command, ...args] = confine({ command: process.execPath, args: ["-e", program, file] })
    const options = { timeout: loadMs, killSignal: "SIGKILL", env: nativeEnvironment(env) } as const
    execFile(command, args, options, (error, _stdout, stderr) => {
      if (error === null) return resolve(undefined)
      const said = stderr.split("\n").find((line) => /Error: /.test(line)) ?? stderr.trim().split("\n").at(-1) ?? ""
      // full paths are nobody's business
      const words = said.replace(/\S*[/\\]/g, "").slice(0, 200)
      resolve(`${words === "" ? "no word of it" : words} (${error.signal ?? `exit code ${error.code ?? "unknown"}`})`)
    })
  })

export const engineFacts = async (places: Places, env: Env): Promise<EngineFacts> => {
  const binary = findBinary(places, "cpu")
  return {
    packages: packages("cpu"),
    isThere: binary !== undefined,
    failure: binary === undefined ? undefined : await whyNot(binary.file, env)
  }
}

export const cudaFacts = async (places: Places, env: Env): Promise<Pick<CudaFacts, "versions" | "unfit">> => ({
  versions: await cudaVersions(env),
  unfit: await whyUnfit(places, "cuda", env)
})
