/**
 * What every program begins with: runs the program beside this file, `NAME.cjs`, with V8's code cache, which is what V8
 * compiled in an earlier run, so that nothing is parsed and compiled again. That halves the time that a program takes
 * before it does anything.
 *
 * The cache is written at the end of the first run, in the user's cache folder: where rbee is installed may be
 * read-only. It is of one build, one V8 and one processor. Whoever writes it decides what runs here, so it is read only
 * where it is this user's alone. Without one, and where none can be kept, programs start slower and no worse.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { cachedDataVersionTag } from "node:v8"
import { Script } from "node:vm"
import { codeCache } from "../../layers/paths/user-home.ts"
import { holdBack } from "./hold-back.ts"

/** the builder's: which program, and the hash of its file */
const name = process.env.RBEE_BUILD_PROGRAM ?? ""
const digest = process.env.RBEE_BUILD_DIGEST ?? ""

/** A run that is shorter, seconds, has not compiled what a request needs: its cache stays until a longer run's. */
const briefly = 0.5
/** of all programs and builds */
const keptFiles = 16

const isOurs = ({ mode, uid }: { readonly mode: number; readonly uid: number }): boolean =>
  uid === process.getuid?.() && (mode & 0o022) === 0

const read = (file: string): Buffer | undefined => {
  try {
    const handle = openSync(file, "r")
    try {
      return isOurs(fstatSync(handle)) ? readFileSync(handle) : undefined
    } finally {
      closeSync(handle)
    }
  } catch {
    return undefined
  }
}

const removeOldest = (folder: string): void => {
  const byAge = readdirSync(folder)
    .map((one) => ({ path: join(folder, one), at: lstatSync(join(folder, one)).mtimeMs }))
    .sort((a, b) => b.at - a.at)
  for (const { path } of byAge.slice(keptFiles)) rmSync(path, { force: true })
}

/** One after another: Node's own way of making all of them never ends where a home is `/proc`. */
const make = (folder: string): void => {
  if (existsSync(folder)) return
  make(dirname(folder))
  mkdirSync(folder, { mode: 0o700 })
}

/** Best effort: a disk may be full or read-only, and others write there too. */
const write = (folder: string, file: string, script: Script): void => {
  try {
    make(folder)
    if (!isOurs(lstatSync(folder))) return
    const fresh = `${file}.${process.pid}`
    writeFileSync(fresh, script.createCachedData(), { mode: 0o600, flush: true })
    renameSync(fresh, file)
    removeOldest(folder)
  } catch {
    // the next run tries again
  }
}

/** What ends the holding back of V8, once the program is loaded. */
let release = () => {}

const compiled = (code: string, filename: string): Script => {
  const folder = codeCache()
  if (folder === undefined) return new Script(code, { filename })
  const whole = join(folder, `${name}-${digest}-${cachedDataVersionTag().toString(16)}`)
  const ofBrief = `${whole}-brief`
  const cachedData = read(whole)
  const script = new Script(code, { filename, cachedData: cachedData ?? read(ofBrief) })
  if (cachedData === undefined || script.cachedDataRejected === true) {
    process.on("exit", () => {
      const isBrief = process.uptime() < briefly
      if (isBrief && script.cachedDataRejected === false) return
      // of the flags that V8 has when it is read
      release()
      write(folder, isBrief ? ofBrief : whole, script)
    })
  }
  return script
}

const file = join(import.meta.dirname, `${name}.cjs`)
// outside of V8's heap, as it is (tools/programs.mjs): as text of UTF-8 it would be there twice, and garbage once
const code = readFileSync(file, "latin1")
const module = { exports: {} }
compiled(code, file).runInThisContext()(module.exports, createRequire(file), module, file, dirname(file))
release = holdBack()
