/**
 * Bugs that the simulator must find, each a patch of `planted/`, applied to a copy of the tree: no switch stands in
 * production code. `npm run bench -- planted` plants them all, one after another.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { performance } from "node:perf_hooks"
import type * as build from "../../tools/build.mjs"

export interface Planted {
  readonly name: string
  readonly patch: string
  /** its first line: what is wrong then, in words */
  readonly what: string
}

export const plantedIn = (root: string): ReadonlyArray<Planted> => {
  const folder = join(root, "test/simulation/planted")
  return readdirSync(folder)
    .toSorted()
    .map((file) => {
      const patch = join(folder, file)
      return { name: basename(file, ".patch"), patch, what: readFileSync(patch, "utf8").split("\n", 1)[0] ?? "" }
    })
}

/** Throws what git says where the patch does not fit the sources in `folder` any more. */
export const apply = (folder: string, { patch }: Planted, how: ReadonlyArray<string> = []): void =>
  void execFileSync("git", ["apply", ...how, patch], {
    cwd: folder,
    // a copy is no part of a repository that it may lie in
    env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(folder) },
    stdio: ["ignore", "ignore", "pipe"]
  })

export interface Hunt {
  /** the invariant that broke and the seed, as the simulator says it */
  readonly found: string | undefined
  /** of the simulator alone, without the making of the copy */
  readonly seconds: number
}

/** Makes a copy with the bug in it, and runs the simulator there until it breaks. */
export const hunt = async (root: string, each: Planted, limitMs: number): Promise<Hunt> => {
  // by its path: this file is bundled for the benchmark, and the tools are not
  const tools = join(root, "tools/build.mjs")
  const { bundle } = (await import(tools)) as typeof build
  const copy = mkdtempSync(join(tmpdir(), "rbee-planted-"))
  try {
    for (const part of ["src", "package.json", "tsconfig.json"])
      cpSync(join(root, part), join(copy, part), { recursive: true })
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"))
    apply(copy, each)
    await bundle({ simulate: "src/main/simulate.ts" }, "dist", { absWorkingDir: copy })
    const began = performance.now()
    const { status, stdout } = spawnSync(process.execPath, ["dist/simulate.js", "--seeds", "100000", "--first"], {
      cwd: copy,
      encoding: "utf8",
      timeout: limitMs
    })
    const seconds = (performance.now() - began) / 1000
    const said = stdout.split("\n").find((line) => line.includes(" breaks: "))
    return { found: status === 1 ? said : undefined, seconds }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}
