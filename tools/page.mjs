/** Builds a page of `src` into a folder of `dist`: one script, one style sheet, one HTML file. */
import { build } from "esbuild"
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"

export const buildPage = async (root, outdir, version, page) => {
  const folder = join(root, outdir, page.name)
  const source = join(root, "src", page.source)
  mkdirSync(folder, { recursive: true })
  const built = await build({
    absWorkingDir: root,
    metafile: true,
    entryPoints: { app: join(source, "main.tsx"), style: join(source, "style.css") },
    outdir: folder,
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    define: { __VERSION__: JSON.stringify(version) },
    logLevel: "warning"
  })
  copyFileSync(join(source, "index.html"), join(folder, "index.html"))
  return { built, folder }
}
