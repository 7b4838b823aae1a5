/** Configuration files and environments as nobody should write them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { loadSettings } from "../../../src/main/config.ts"
import { knobs, nameOf, variableOf } from "../../../src/main/config/knobs.ts"
import { mutatedText, text } from "../mutate.ts"
import { Finding, ownPeakMb, type Target } from "../target.ts"

const good = `token_file = "/nowhere/token"
[queen]
port = 8500
host = "127.0.0.1"
idle_ms = 1_800_000
[hive]
port = 8600
heartbeat_ms = 1000
[[hive.gpus]]
id = "gpu0"
name = "RTX 3060"
vram_mb = 12000
[worker]
slots = 4
context = 4096
kv_type = "q8_0"
[shutdown]
drain_ms = 25000
`

export const config: Target = {
  name: "config",
  parallel: 1,
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), "rbee-fuzz-"))
    return {
      one: async (random) => {
        const source = mutatedText(random.chance(0.9) ? good.replace(/^token_file.*\n/, "") : good, random)
        writeFileSync(join(folder, "config.toml"), source)
        const env: Record<string, string> = { RBEE_HOME: folder, HOME: folder }
        if (random.chance(0.3)) env[variableOf(random.pick(knobs))] = text(random)
        if (random.chance(0.1)) env["RBEE_TOKEN"] = text(random)
        if (random.chance(0.1)) env["RBEE_TOKEN_FILE"] = text(random)
        if (random.chance(0.1)) env["RBEE_HOME"] = text(random)
        const flags = random.chance(0.2) ? { [nameOf(random.pick(knobs))]: text(random) } : {}
        const exit = await Effect.runPromiseExit(loadSettings({ env, flags, cwd: folder }))
        if (Exit.isFailure(exit) && Cause.isDie(exit.cause))
          throw new Finding("untyped", `${JSON.stringify({ env, flags, source })}: ${Cause.pretty(exit.cause)}`)
        return 1
      },
      check: async () => undefined,
      peakMb: ownPeakMb,
      close: async () => rmSync(folder, { recursive: true, force: true })
    }
  }
}
