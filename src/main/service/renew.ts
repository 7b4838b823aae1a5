/** `rbee upgrade` of a queen whom systemd looks after: her unit starts the newer program from now on. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { Context } from "../cli/spec.ts"
import { here } from "./here.ts"
import { type Scope, scopes } from "./service.ts"
import { execLines, systemctlOf, unitFolder, unitName } from "./systemd.ts"
import { runTool } from "./tool.ts"

const unit = unitName("queen", "service")

/** With the programs of this installation; what was set when it was installed stays. */
const withPrograms = (text: string, { programs }: Context): string => {
  const lines = execLines({
    node: process.execPath,
    program: join(programs, "queen.js"),
    cli: join(programs, "rbee.js"),
    role: "queen"
  })
  return text.replace(/^(Exec(?:Start|Stop))=.*$/gm, (line, name: string) => {
    return lines.find((one) => one.startsWith(`${name}=`)) ?? line
  })
}

const renew = (scope: Scope, file: string, context: Context): Effect.Effect<void, RbeeError> =>
  Effect.gen(function* () {
    const before = readFileSync(file, "utf8")
    const after = withPrograms(before, context)
    if (after === before) return
    yield* Effect.try({
      try: () => writeFileSync(file, after),
      catch: () =>
        rbeeError(
          "FORBIDDEN",
          `systemd would start the older rbee again: ${file} cannot be written`,
          `As root: ${context.typed("service install --system")}, then this again`
        )
    })
    yield* runTool([...systemctlOf(scope), "daemon-reload"])
  })

/** Whether systemd starts the next queen when the one of this process ends; if so, of this installation. */
export const isRenewed = (pid: number, context: Context): Effect.Effect<boolean, RbeeError> =>
  Effect.exists(scopes, (scope) =>
    Effect.gen(function* () {
      const file = `${unitFolder(scope, here().configHome)}/${unit}`
      if (!existsSync(file)) return false
      const { stdout } = yield* runTool([...systemctlOf(scope), "show", "--property=MainPID", "--value", unit])
      if (stdout.trim() !== String(pid)) return false
      yield* renew(scope, file, context)
      return true
    })
  )
