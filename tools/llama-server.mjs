/**
 * llama.cpp's own server, which benchmarks are held against, by rbee's own recipe and from the source that comes with
 * node-llama-cpp: the same commit as our engine. It is kept in the user's cache folder, outside the tree, and built once
 * for each release; one job, so that it does not take the machine.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"

/** of the tree in whose folder this runs */
const source = resolve("node_modules/node-llama-cpp/llama")

/** where the built server of this tree's llama.cpp lies, or is to lie */
export const peerProgram = () => {
  const { release } = JSON.parse(readFileSync(`${source}/binariesGithubRelease.json`, "utf8"))
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rbee/peers", `llama-server-${release}`)
}

/** The recipe is written in TypeScript, as the product is. */
const recipe = async () => {
  const { build } = await import("esbuild")
  const entryPoints = [resolve("src/layers/runtimes/llama-server/recipe.ts")]
  const { outputFiles } = await build({ entryPoints, bundle: true, format: "esm", write: false })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`)
}

const isThere = (tool) => spawnSync(tool, ["--version"]).status === 0

/** Builds it where it is not there; says where it is, or why there is none. */
export const buildPeer = async () => {
  const program = peerProgram()
  if (existsSync(program)) return `${program} is there`
  const { builtIn, lacking, stepsOf } = await recipe()
  const absent = lacking(isThere)
  if (absent.length > 0) return `skipped: it takes ${absent.join(", ")} to build it, which this machine has not`
  const folder = `${program}.building`
  mkdirSync(folder, { recursive: true })
  const bundle = `${source}/gitRelease.bundle`
  for (const { args, command, makes } of stepsOf({ bundle, folder, hasNinja: isThere("ninja"), jobs: 1 })) {
    if (makes !== undefined && existsSync(makes)) continue
    if (spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] }).status !== 0)
      return `skipped: ${command} failed; what it said is above, what it made in ${folder}`
  }
  renameSync(builtIn(folder), program)
  rmSync(folder, { recursive: true })
  return `${program} is built`
}
