/** Real programs for these tests, bundled as `npm run build` does, where the packages of this checkout are found. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { join, resolve } from "node:path"
import { build } from "esbuild"

const root = resolve(import.meta.dirname, "../../..")
export const minillama = join(root, "models", "minillama", "minillama-q8_0.gguf")

export interface Programs {
  readonly folder: string
  readonly worker: string
  readonly remove: () => void
}

export const bundlePrograms = async (): Promise<Programs> => {
  const cache = join(root, "node_modules", ".cache")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, "rbee-worker-test-"))
  await build({
    absWorkingDir: root,
    entryPoints: { worker: "src/main/worker.ts", hive: "test/layers/worker-launcher/hive-stand-in.ts" },
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["better-sqlite3", "node-llama-cpp", "ssh2"],
    define: { "process.env.RBEE_BUILD_VERSION": `"0.0.0-test"` },
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
    },
    logLevel: "error"
  })
  return {
    folder,
    worker: join(folder, "worker.mjs"),
    remove: () => rmSync(folder, { recursive: true, force: true })
  }
}
