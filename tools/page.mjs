/** Builds a page of `src` into a folder of `dist`: one script, one style sheet, one HTML file, which asks for both at `assets`. */
import { build } from "esbuild"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
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
  const html = readFileSync(join(root, "src/web/kit/page/page.html"), "utf8")
  writeFileSync(join(folder, "index.html"), html.replaceAll("{title}", page.title).replaceAll("{assets}", page.assets))
  return { built, folder }
}
