/**
 * Bundles the programs and the library of src/main into dist/. Start-up is most of a warm call, and an unbundled
 * `import "effect"` alone costs a third of a second. Native and optional packages stay outside.
 */
import { build } from "esbuild"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { buildInspector } from "./inspector.mjs"
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
  external: ["better-sqlite3", "node-llama-cpp", "ssh2", "vitest", "openai", "playwright-core"],
  define: { "process.env.RBEE_BUILD_VERSION": JSON.stringify(version) },
  logLevel: "warning"
}

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

/** The programs and the library, whole, as they are published. */
export const buildAll = async (outdir) => {
  rmSync(`${root}/${outdir}`, { recursive: true, force: true })
  await bundle(entriesOf(["cluster", "simulate"]), outdir)
  // sent to other machines, where nothing else of rbee is: whole in one file that `node` reads from its input
  await bundle(entriesOf(["remote"]), outdir, {
    splitting: false,
    minifyIdentifiers: true,
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    banner: {}
  })
  await buildInspector(root, outdir, version)
  await buildPrograms(root, entriesOf(["rbee", "queen", "hive", "worker", "tokenizer", "grammars"]), outdir, shared)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildAll("dist")
