/**
 * Builds the four programs for a fast start. Each is one CommonJS file, `dist/NAME.cjs`, and a loader, `dist/NAME.js`,
 * that gives V8 the code cache beside it: what V8 compiled for a real run, so that nothing is parsed and compiled again.
 * That halves the time that a program takes before it does anything.
 *
 * The cache is made here, by this Node, with one short session in a folder of its own. Another version of Node rejects
 * it and compiles as ever; where the session cannot run there is simply no cache.
 */
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** While this file stands beside them, programs write their caches: a worker gets next to nothing of the environment. */
const wish = ".write-code-cache"

const loader = (name) => `#!/usr/bin/env node
// Made by tools/programs.mjs: runs ${name}.cjs with its code cache, if there is one that fits.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Script } from "node:vm"

const file = fileURLToPath(new URL("./${name}.cjs", import.meta.url))
const cache = file + ".cache"
const cached = () => {
  try {
    return readFileSync(cache)
  } catch {
    return undefined
  }
}
const code = "(function(exports,require,module,__filename,__dirname){" + readFileSync(file, "utf8") + "\\n})"
const script = new Script(code, { filename: file, cachedData: cached() })
if (existsSync(join(dirname(file), "${wish}"))) {
  process.on("exit", () => {
    writeFileSync(cache + process.pid, script.createCachedData())
    renameSync(cache + process.pid, cache)
  })
}
const module = { exports: {} }
script.runInThisContext()(module.exports, createRequire(import.meta.url), module, file, dirname(file))
`

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

const run = (file, args, env) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [file, ...args], { env, stdio: "ignore" })
    const limit = setTimeout(() => child.kill("SIGKILL"), 60_000)
    const settle = (code) => {
      clearTimeout(limit)
      resolve(code)
    }
    child.once("error", () => settle(1))
    child.once("exit", (code) => settle(code ?? 1))
  })

/** Without the engine a worker would be installed from the registry first: no build does that. */
const hasEngine = (root) => {
  const folder = join(root, "node_modules", "@node-llama-cpp")
  return existsSync(folder) && readdirSync(folder).length > 0
}

const cacheOf = (program) => program.replace(/\.js$/, ".cjs.cache")
const readIfThere = (file) => (existsSync(file) ? readFileSync(file) : undefined)

/** One session of all programs: each writes its cache when it ends. */
const warmUp = async (root, outdir) => {
  const home = mkdtempSync(join(tmpdir(), "rbee-build-"))
  const [queen, hive, worker] = [await freePort(), await freePort(), await freePort()]
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("RBEE_") && name !== "NODE_OPTIONS")
  const env = {
    ...Object.fromEntries(inherited),
    RBEE_HOME: home,
    RBEE_QUEEN_PORT: String(queen),
    RBEE_HIVE_PORT: String(hive),
    RBEE_WORKER_PORT_BASE: String(worker)
  }
  const rbee = join(outdir, "rbee.js")
  const wished = join(outdir, wish)
  writeFileSync(wished, "")
  try {
    if (hasEngine(root)) await run(rbee, ["infer", "--quiet", "hello"], env)
    else await run(rbee, ["up"], env)
  } finally {
    const kept = readIfThere(cacheOf(rbee))
    await run(rbee, ["down"], env)
    // the keeper's cache stays that of the longest run
    if (kept !== undefined) writeFileSync(cacheOf(rbee), kept)
    rmSync(wished, { force: true })
    rmSync(home, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** `entries`: {name: source file}; `options`: of the build, shared with the other bundles. */
export const buildPrograms = async (root, entries, outdir, options) => {
  await build({
    ...options,
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    splitting: false,
    // a stack trace quotes the line: short lines keep it readable
    lineLimit: 160,
    supported: { "dynamic-import": false },
    define: { ...options.define, "import.meta.url": "__fileUrl" },
    banner: { js: 'const __fileUrl = require("node:url").pathToFileURL(__filename).href;' }
  })
  for (const name of Object.keys(entries)) {
    const file = join(root, outdir, `${name}.js`)
    writeFileSync(file, loader(name))
    chmodSync(file, 0o755)
  }
  if (["rbee", "queen", "hive", "worker"].every((name) => name in entries)) await warmUp(root, join(root, outdir))
}
