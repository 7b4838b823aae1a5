/**
 * How llama.cpp's own server is built: the one recipe, for `rbee engines install llama-server` and for the benchmarks' peer
 * (`npm run peer`). Imports nothing, so that a script of the tree can read it as well.
 */

/** llama.cpp's, as this version's engine is of it (a test compares it with what is installed) */
export const serverRelease = "v0.4.0"

/** whose package brings the source, as a bundle of git's; its hash is the lock file's (a test compares) */
export const source = {
  package: "node-llama-cpp@3.21.1",
  integrity: "sha512-E3N0Ev2Va0wzydvXYFwM9Hvyo07PoWjt8T/9GMc43Cvt8YkV/NU/tYUgEMC1grTPv2o9PRjQi0G3Wb5P/awiMg==",
  bundle: "package/llama/gitRelease.bundle"
} as const

interface Tool {
  /** any of these will do */
  readonly names: readonly [string, ...ReadonlyArray<string>]
  /** what Debian calls its package */
  readonly package: string
}

export const tools: ReadonlyArray<Tool> = [
  { names: ["git"], package: "git" },
  { names: ["cmake"], package: "cmake" },
  { names: ["g++", "clang++", "c++"], package: "g++" },
  { names: ["ninja", "make"], package: "ninja-build" }
]

/** Packages of what is not here. */
export const lacking = (isThere: (name: string) => boolean): ReadonlyArray<string> =>
  tools.filter(({ names }) => !names.some(isThere)).map((tool) => tool.package)

/** what is left out is what would be fetched from elsewhere, and what only programs beside the server need */
const off = ["BUILD_TESTS", "BUILD_EXAMPLES", "BUILD_APP", "BUILD_UI", "USE_PREBUILT_UI", "CURL", "OPENSSL"]

export interface Build {
  /** the source, as a bundle of git's */
  readonly bundle: string
  /** an empty folder, or one where this was begun */
  readonly folder: string
  readonly hasNinja: boolean
  /** compilers at once */
  readonly jobs: number
}

export interface Step {
  readonly what: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** it is done where this is there */
  readonly makes?: string
}

export const stepsOf = ({ bundle, folder, hasNinja, jobs }: Build): ReadonlyArray<Step> => [
  {
    what: "unpacking the source",
    command: "git",
    args: ["clone", "-q", bundle, `${folder}/source`],
    makes: `${folder}/source`
  },
  {
    what: "configuring",
    command: "cmake",
    args: [
      ...["-G", hasNinja ? "Ninja" : "Unix Makefiles", "-S", `${folder}/source`, "-B", `${folder}/build`],
      ...["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", ...off.map((name) => `-DLLAMA_${name}=OFF`)]
    ]
  },
  // not by cmake, which would leave them to themselves where it is ended
  hasNinja
    ? { what: "building", command: "ninja", args: ["-C", `${folder}/build`, "-j", String(jobs), "llama-server"] }
    : { what: "building", command: "make", args: ["-C", `${folder}/build`, `-j${jobs}`, "llama-server"] }
]

/** Where it lies then. */
export const builtIn = (folder: string): string => `${folder}/build/bin/llama-server`

/** How far a builder is, by its words: "[12/348] …" or "[ 12%] …". */
export const progressIn = (line: string): { readonly done: number; readonly of: number } | undefined => {
  const [, done, of] = /^\[ *(\d+)(?:\/(\d+)|%)\]/.exec(line) ?? []
  return done === undefined ? undefined : { done: Number(done), of: of === undefined ? 100 : Number(of) }
}
