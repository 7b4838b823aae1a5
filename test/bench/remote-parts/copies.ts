/** A model that the queen's machine has, brought to hives of the other machine, and the same file by `scp`. */
import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { type Machine, makeMachine } from "../../support/machine.ts"
import type { RemoteMachine } from "../../support/remote.ts"
import { bigModel, startHub } from "../download-parts/big-model.ts"
import { timed } from "../support.ts"

const model = "HF:bench/big:Q8_0"
export type Hive = "tunnelled" | "direct"

export interface Copies {
  readonly bytes: number
  /** milliseconds from the request to the published file: copied, hashed, synced, its header read */
  readonly byHive: (hive: Hive) => Promise<number>
  /** milliseconds of `scp`, and with the hash of the copy, which `scp` does not check */
  readonly byScp: () => Promise<{ readonly ms: number; readonly checkedMs: number }>
  readonly close: () => Promise<void>
}

const succeeds = async (on: Machine, args: ReadonlyArray<string>): Promise<void> => {
  const { code, stderr } = await on.rbee(args, { limitMs: 300_000 })
  if (code !== 0) throw new Error(`rbee ${args.join(" ")}: ${stderr}`)
}

/** The download's events to their end. */
const pull = async (on: Machine, hive: Hive): Promise<void> => {
  const post = await on.fetch(`${on.queenUrl}/catalog/models/pull`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model_ref: model, hive })
  })
  const { events } = (await post.json()) as { readonly events: string }
  const said = await (await on.fetch(`${on.queenUrl}${events}`)).text()
  if (!said.includes("event: ready")) throw new Error(said.slice(-500))
  if (!said.includes("the queen's machine has it")) throw new Error("it did not come from the queen's machine")
}

export const openCopies = async (there: RemoteMachine, folder: string, megabytes: number): Promise<Copies> => {
  const { file, sha256 } = bigModel(join(folder, "hub"), megabytes)
  const on = await makeMachine({ folder, env: { RBEE_QUEEN_SSH_CONFIG: there.config } })
  const hub = await startHub(join(folder, "hub"))
  Object.assign(on.env, { HF_ENDPOINT: hub.url, HF_HOME: join(on.home, "hf") })
  const close = async () => {
    hub.stop()
    await on.dispose()
  }
  try {
    await succeeds(on, ["models", "pull", model])
    await succeeds(on, ["hives", "add", "tunnelled", "--host", "remote", "--hive-port", "8600"])
    await succeeds(on, ["hives", "add", "direct", "--host", "remote", "--hive-port", "8700", "--direct"])
    for (const hive of ["tunnelled", "direct"]) await succeeds(on, ["hives", "start", hive])
  } catch (error) {
    await close()
    throw error
  }
  const inbox = join(there.home, "inbox")
  mkdirSync(inbox)
  return {
    bytes: statSync(file).size,
    byHive: async (hive) => {
      const { ms } = await timed(() => pull(on, hive))
      await succeeds(on, ["models", "rm", model, "--hive", hive])
      return ms
    },
    byScp: async () => {
      const copy = join(inbox, "copy.gguf")
      const { ms } = await timed(() =>
        Promise.resolve(execFileSync("scp", ["-q", "-F", there.config, file, `remote:${copy}`]))
      )
      const sum = await timed(() =>
        Promise.resolve(execFileSync("ssh", ["-F", there.config, "remote", "sha256sum", copy], { encoding: "utf8" }))
      )
      if (!sum.value.startsWith(sha256)) throw new Error("scp brought another file")
      rmSync(copy)
      return { ms, checkedMs: ms + sum.ms }
    },
    close
  }
}
