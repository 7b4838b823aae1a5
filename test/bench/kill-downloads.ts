/**
 * Hives killed with SIGKILL at random bytes of their downloads, until so many kills are done: how many corrupt files
 * were published (0), and how many bytes were fetched twice for each kill (one written batch, 1 MiB, at most).
 *
 * `npm run kill-downloads [KILLS=200] [MB=24] [SEED=1]`
 */
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundledFolder } from "../../src/layers/models/sources.ts"
import { stallAt, testHub } from "../support/hub.ts"
import { provision, run as runEffect, startHive } from "../support/hive.ts"
import { eventually, makeMachine } from "../support/machine.ts"
import { quantile, report } from "./support.ts"
import { ModelRef } from "../../src/machines/vocabulary/ids.ts"

const model = "HF:bench/big:Q8_0"

/** The same numbers for the same seed. */
const randomOf = (seed: number) => {
  let n = seed
  return (): number => {
    n = (Math.imul(n, 1_664_525) + 1_013_904_223) >>> 0
    return n / 2 ** 32
  }
}

/** Waits until a number no longer changes. */
const stands = async (look: () => number): Promise<void> => {
  let last = -1
  for (let same = 0; same < 4;) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const now = look()
    same = now === last ? same + 1 : 0
    last = now
  }
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const [kills = 200, megabytes = 24, seed = 1] = args.map(Number)
  const random = randomOf(seed)
  const folder = mkdtempSync(join(tmpdir(), "rbee-kill-downloads-"))
  const original = readFileSync(join(bundledFolder() ?? "", "minillama-q8_0.gguf"))
  // the bundled model, with noise behind its tensors
  const noise = Buffer.from(Uint8Array.from({ length: megabytes * 1_000_000 - original.length }, () => random() * 256))
  const bytes = Buffer.concat([original, noise])
  const sha256 = createHash("sha256").update(bytes).digest("hex")
  const hub = await testHub({ "bench/big/big-Q8_0.gguf": bytes })
  const on = await makeMachine({ folder })
  const env = { HF_ENDPOINT: hub.url, HF_HOME: join(on.home, "hf") }
  const repo = join(on.home, "hf", "hub", "models--bench--big")
  const here = () => {
    if (!existsSync(join(repo, "blobs"))) return []
    return readdirSync(join(repo, "blobs")).map((name) => ({ name, size: statSync(join(repo, "blobs", name)).size }))
  }
  let done = 0
  /** bytes that were received and are fetched again; of the kills for which that can be told */
  const twice: Array<number> = []
  let corrupt = 0
  let completed = 0
  const finish = async () => {
    hub.always = undefined
    const hive = await startHive(on, env)
    const last = (await provision(hive, model)).at(-1)
    hive.process.kill("SIGTERM")
    await hive.exit
    const digest = createHash("sha256")
      .update(readFileSync(join(repo, "blobs", sha256)))
      .digest("hex")
    if (last?.event !== "ready" || digest !== sha256 || here().length !== 1) corrupt++
    completed++
    rmSync(repo, { recursive: true })
    rmSync(join(on.home, "hive-localhost"), { recursive: true, force: true })
  }
  try {
    while (done < kills) {
      const before = here()[0]?.size ?? 0
      const left = bytes.length - before
      // close to its end it may come to its end; every tenth does
      if (left < 100_000 || random() < 0.1) {
        if (before > 0) await finish()
        continue
      }
      const upTo = 1 + Math.floor(random() * Math.min(left - 1, 6_000_000))
      hub.always = stallAt(upTo)
      const sent = hub.sent()
      const hive = await startHive(on, env)
      await runEffect(hive.api.provisionModel({ model_ref: ModelRef.make(model) }))
      // half of them die before the hub has sent what it will
      const isEarly = random() < 0.5
      await eventually(() => hub.sent() - sent >= upTo * (isEarly ? random() : 1), "bytes are on their way", 60_000)
      // what is still on its way within the system is not what the hive has fetched
      if (!isEarly) await stands(() => here()[0]?.size ?? 0)
      hive.process.kill("SIGKILL")
      await hive.exit
      const published = here().filter(({ name }) => name === sha256)
      if (published.some(({ size }) => size !== bytes.length) || existsSync(join(repo, "snapshots"))) corrupt++
      const after = here()[0]?.size ?? 0
      if (after < before) corrupt++
      done++
      if (!isEarly) twice.push(before + upTo - after)
    }
    await finish()
    report(
      "kill-downloads",
      [
        { what: "kills", value: done, unit: `(seed ${seed}, ${completed} downloads completed)` },
        { what: "corrupt files published, or bytes lost that were written", value: corrupt, unit: "", target: "0" },
        { what: "fetched twice a kill, p50", value: quantile(twice, 0.5) / 1024, unit: `KiB (${twice.length} kills)` },
        {
          what: "fetched twice a kill, most",
          value: quantile(twice, 1) / 1024,
          unit: "KiB",
          target: "≤ 1024 and a socket's read of 64"
        }
      ],
      { twice }
    )
    if (corrupt > 0) process.exitCode = 1
  } finally {
    await on.dispose()
    await hub.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
