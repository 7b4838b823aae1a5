/**
 * Bundles the programs of src/main into dist/: one file each, sharing chunks. Start-up is most of a warm call, and an
 * unbundled `import "effect"` alone costs a third of a second. Native and optional packages stay outside.
 */
import { build } from "esbuild"
import { chmodSync, existsSync, readFileSync, rmSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"))
const programs = ["rbee", "queen", "hive", "worker", "cluster"].filter((name) =>
  existsSync(`${root}/src/main/${name}.ts`)
)

/** Bundles `entries` ({name: file}) into `outdir`; also used for benchmarks and test programs. */
export const bundle = (entries, outdir, options = {}) =>
  build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: false,
    legalComments: "none",
    chunkNames: "chunks/[name]-[hash]",
    external: ["better-sqlite3", "node-llama-cpp", "ssh2", "vitest", "openai"],
    define: { "process.env.RBEE_BUILD_VERSION": JSON.stringify(version) },
    // CommonJS dependencies inside the ES module bundle ask for `require`
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
    },
    logLevel: "warning",
    ...options
  })

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(`${root}/dist`, { recursive: true, force: true })
  await bundle(Object.fromEntries(programs.map((name) => [name, `src/main/${name}.ts`])), "dist")
  if (existsSync(`${root}/dist/rbee.js`)) chmodSync(`${root}/dist/rbee.js`, 0o755)
}
