/**
 * Builds the programs for a fast start. Each is one CommonJS file, `dist/NAME.cjs`, and what runs it, `dist/NAME.js`
 * (src/main/start/start.ts), that keeps V8's code cache. Both are CommonJS: Node's loader of ES modules takes 6 to 9 ms.
 */
import { build } from "esbuild"
import { createHash } from "node:crypto"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { lazySchemasPlugin } from "./lazy-schemas.mjs"

/** What a program is a function of: `start.ts` calls it, and Node does where the file is loaded as a module. */
const parameters = "exports,require,module,__filename,__dirname"
const opening =
  `(function(run){return typeof module==="undefined"?run:run(${parameters})})(function(${parameters}){` +
  'const __fileUrl = require("node:url").pathToFileURL(__filename).href;'

/** It is read as Latin-1: V8 then runs it from where it was read, and has no copy of it among its objects. */
const assertPlain = (file) => {
  const found = /[\u0080-\u{10ffff}]/u.exec(readFileSync(file, "utf8"))
  if (found !== null) throw new Error(`${file} has a character that is not ASCII: ${found[0]}`)
}

const digestOf = (file) => createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 16)

const buildStart = async (root, name, outdir, options) => {
  const outfile = join(root, outdir, `${name}.js`)
  await build({
    ...options,
    absWorkingDir: root,
    entryPoints: ["src/main/start/start.ts"],
    outfile,
    format: "cjs",
    define: {
      "import.meta.dirname": "__dirname",
      "process.env.RBEE_BUILD_PROGRAM": JSON.stringify(name),
      "process.env.RBEE_BUILD_DIGEST": JSON.stringify(digestOf(join(root, outdir, `${name}.cjs`)))
    },
    banner: { js: "#!/usr/bin/env node" }
  })
  chmodSync(outfile, 0o755)
}

/** `entries`: {name: source file}; `options`: of the build, shared with the other bundles. */
export const buildPrograms = async (root, entries, outdir, options) => {
  const built = await build({
    ...options,
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    splitting: false,
    plugins: [...(options.plugins ?? []), lazySchemasPlugin],
    // V8 keeps the names with what it compiled: long ones are a third of a program, and a part of each start.
    // `npm run where` tells what a place in a stack trace is.
    minifyIdentifiers: true,
    // a stack trace quotes the line: short lines keep it readable
    lineLimit: 160,
    supported: { "dynamic-import": false },
    define: { ...options.define, "import.meta.url": "__fileUrl" },
    banner: { js: opening },
    footer: { js: "})" }
  })
  writeFileSync(join(root, outdir, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`)
  for (const name of Object.keys(entries)) assertPlain(join(root, outdir, `${name}.cjs`))
  await Promise.all(Object.keys(entries).map((name) => buildStart(root, name, outdir, options)))
  return built
}
