/**
 * llama.cpp's own server, which benchmarks are held against, from the source that comes with node-llama-cpp: the same
 * commit as our engine. It is kept in the user's cache folder, outside the tree, and built once for each release; one
 * job, so that it does not take the machine.
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

const missing = () => ["git", "cmake", "ninja", "g++"].filter((tool) => spawnSync(tool, ["--version"]).status !== 0)

/** what is left out is what would be fetched from elsewhere, and what only programs beside the server need */
const off = ["BUILD_TESTS", "BUILD_EXAMPLES", "BUILD_APP", "BUILD_UI", "USE_PREBUILT_UI", "CURL", "OPENSSL"]

/** Builds it where it is not there; says where it is, or why there is none. */
export const buildPeer = () => {
  const program = peerProgram()
  if (existsSync(program)) return `${program} is there`
  const absent = missing()
  if (absent.length > 0) return `skipped: it takes ${absent.join(", ")} to build it, which this machine has not`
  const work = `${program}.building`
  mkdirSync(work, { recursive: true })
  const steps = [
    ...(existsSync(`${work}/source`) ? [] : [["git", "clone", "-q", `${source}/gitRelease.bundle`, `${work}/source`]]),
    [
      "cmake",
      ...["-G", "Ninja", "-S", `${work}/source`, "-B", `${work}/build`],
      ...["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", ...off.map((name) => `-DLLAMA_${name}=OFF`)]
    ],
    ["cmake", "--build", `${work}/build`, "--target", "llama-server", "--parallel", "1"]
  ]
  for (const [tool, ...args] of steps)
    if (spawnSync(tool, args, { stdio: ["ignore", "inherit", "inherit"] }).status !== 0)
      return `skipped: ${tool} failed; what it said is above, what it made in ${work}`
  renameSync(`${work}/build/bin/llama-server`, program)
  rmSync(work, { recursive: true })
  return `${program} is built`
}
