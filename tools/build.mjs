/**
 * Bundles the programs and the library of src/main into dist/. Start-up is most of a warm call, and an unbundled
 * `import "effect"` alone costs a third of a second. Native and optional packages stay outside.
 */
import { build } from "esbuild"
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { buildInspector } from "./inspector.mjs"
import { writeLicenses } from "./licenses.mjs"
import { buildPage } from "./page.mjs"
import { buildPrograms } from "./programs.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"))
const entriesOf = (names) =>
  Object.fromEntries(
    names.filter((name) => existsSync(`${root}/src/main/${name}.ts`)).map((name) => [name, `src/main/${name}.ts`])
  )

const shared = {
  bundle: true,
  platform: "node",
  target: "node20",
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: false,
  legalComments: "none",
  metafile: true,
  // what is native, what programs of tests bring, and what ssh2 uses where it was compiled for this machine
  external: ["better-sqlite3", "node-llama-cpp", "vitest", "openai", "playwright-core", "cpu-features", "*.node"],
  define: { "process.env.RBEE_BUILD_VERSION": JSON.stringify(version) },
  logLevel: "warning"
}

/** A package that is a file beside the program. */
const besides = (name, path) => ({
  name: `${name} beside`,
  setup: (at) => at.onResolve({ filter: new RegExp(`^${name}$`) }, () => ({ path, external: true }))
})

/** Bundles `entries` ({name: file}) into `outdir`; also used for benchmarks and test programs. */
export const bundle = (entries, outdir, options = {}) =>
  build({
    ...shared,
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    splitting: true,
    format: "esm",
    chunkNames: "chunks/[name]-[hash]",
    // CommonJS dependencies inside the ES module bundle ask for `require`
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
    },
    ...options
  })

const inputsOf = (builds) => builds.flatMap(({ metafile }) => Object.keys(metafile.inputs))

/** The programs, each in one file. */
export const programsInto = (outdir, options = {}) =>
  buildPrograms(root, entriesOf(["rbee", "queen", "hive", "worker", "tokenizer", "grammars"]), outdir, {
    ...shared,
    plugins: [besides("ssh2", "./ssh2.cjs")],
    ...options
  })

/** The programs and the library, whole, as they are published. */
export const buildAll = async (outdir) => {
  rmSync(`${root}/${outdir}`, { recursive: true, force: true })
  mkdirSync(`${root}/${outdir}/types`, { recursive: true })
  copyFileSync(`${root}/src/main/cluster/published.ts`, `${root}/${outdir}/types/cluster.d.mts`)
  const builds = [
    await bundle(entriesOf(["cluster", "simulate"]), outdir, { outExtension: { ".js": ".mjs" } }),
    // sent to other machines, where nothing else of rbee is: whole in one file that `node` reads from its input
    await bundle(entriesOf(["remote"]), outdir, {
      splitting: false,
      minifyIdentifiers: true,
      format: "cjs",
      outExtension: { ".js": ".cjs" },
      banner: {}
    }),
    // apart, and loaded by the queen when she first needs it: most have no other machines
    await build({
      ...shared,
      absWorkingDir: root,
      entryPoints: ["ssh2"],
      outfile: `${outdir}/ssh2.cjs`,
      format: "cjs"
    }),
    await buildInspector(root, outdir, version),
    (await buildPage(root, outdir, version, { source: "web", name: "web", title: "rbee", assets: "/assets" })).built,
    await programsInto(outdir)
  ]
  writeLicenses(root, inputsOf(builds), `${root}/${outdir}/licenses.txt`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildAll("dist")
