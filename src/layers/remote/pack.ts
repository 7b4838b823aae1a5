/** This very installation as the archive that `npm pack` makes of it. */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { npmEnvironment } from "../process/environment.ts"
import { npmCommand } from "./program/npm.ts"

export interface Packed {
  readonly file: string
  readonly name: string
  /** 12 hex digits of its SHA-256: the same package is the same folder on the other side */
  readonly digest: string
}

const packMs = 120_000

/** The nearest folder above this program that is rbee's. */
const packageRoot = (): string | undefined => {
  for (let folder = dirname(fileURLToPath(import.meta.url)); dirname(folder) !== folder; folder = dirname(folder)) {
    const manifest = join(folder, "package.json")
    if (existsSync(manifest) && /"name":\s*"rbee"/.test(readFileSync(manifest, "utf8"))) return folder
  }
  return undefined
}

const pack = (folder: string): Effect.Effect<Packed, RbeeError<"INTERNAL">> =>
  Effect.async((resume) => {
    const npm = npmCommand()
    const root = packageRoot()
    const failed = (why: string) =>
      resume(rbeeError("INTERNAL", `rbee cannot be packed: ${why}`, "Is npm installed here?"))
    if (npm === undefined) return failed("npm was not found")
    if (root === undefined) return failed("its package was not found")
    const args = [...npm.args, "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder]
    const child = execFile(
      npm.command,
      args,
      { cwd: root, timeout: packMs, env: npmEnvironment(process.env) },
      (error, _, stderr) => {
        const name = error === null ? readdirSync(folder).find((one) => one.endsWith(".tgz")) : undefined
        if (name === undefined) return failed(stderr.trim().slice(-300) || "npm pack made nothing")
        const file = join(folder, name)
        const digest = createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 12)
        resume(Effect.succeed({ file, name, digest }))
      }
    )
    return Effect.sync(() => void child.kill())
  })

/** Gone with the scope. */
export const packed: Effect.Effect<Packed, RbeeError<"INTERNAL">, Scope.Scope> = Effect.flatMap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-pack-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  pack
)
