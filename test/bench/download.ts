/**
 * A file from a loopback hub by a real hive (fetched, hashed, synced, published), against `curl -C -` and then
 * `sha256sum` of the same file from the same hub; interleaved. Then hives killed in mid-download at random moments:
 * files that are not what they are called, and bytes that were on disk and are fetched again. What a killed hive had
 * received but not written yet is bounded by a test (test/main/hive-download.test.ts).
 *
 * `npm run bench -- download [MB=1024] [ROUNDS=5] [KILLS=10]`; needs three times that much room in the temp folder.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type HiveProcess, provision, run as runEffect, startHive } from "../support/hive.ts"
import { type Machine, makeMachine } from "../support/machine.ts"
import { bigModel, startHub } from "./download-parts/big-model.ts"
import { interleaved, median, ratio, report, timed } from "./support.ts"
import { ModelRef } from "../../src/machines/vocabulary/ids.ts"

// the bundle lies in .bench/bundle
const root = fileURLToPath(new URL("../..", import.meta.url))
const programs = process.env["RBEE_TEST_PROGRAMS"] ?? `${root}/dist`
const model = "HF:bench/big:Q8_0"
const path = "/bench/big/resolve/main/big-Q8_0.gguf"

const head = (url: string): Promise<void> =>
  new Promise((resolve, reject) => {
    request(url, { method: "HEAD" }, (response) => response.resume().once("end", resolve))
      .once("error", reject)
      .end()
  })

const withMachine = async <A>(
  folder: string,
  hub: string,
  use: (on: Machine, env: Record<string, string>) => Promise<A>
): Promise<A> => {
  const on = await makeMachine({ folder, programs })
  try {
    return await use(on, { HF_ENDPOINT: hub, HF_HOME: join(on.home, "hf") })
  } finally {
    await on.dispose()
  }
}

const bring = async (hive: HiveProcess): Promise<void> => {
  const last = (await provision(hive, model)).at(-1)
  if (last?.event !== "ready") throw new Error(JSON.stringify(last))
}

const byHive = (folder: string, hub: string) =>
  withMachine(folder, hub, async (on, env) => {
    const hive = await startHive(on, env, programs)
    return (await timed(() => bring(hive))).ms
  })

const byCurl = async (folder: string, hub: string, sha256: string): Promise<number> => {
  const file = join(folder, "curl.gguf")
  const { ms } = await timed(async () => {
    execFileSync("curl", ["-sfL", "-C", "-", "-o", file, `${hub}${path}`])
    const sum = execFileSync("sha256sum", [file], { encoding: "utf8" })
    if (!sum.startsWith(sha256)) throw new Error("curl brought another file")
  })
  rmSync(file)
  return ms
}

/** Kills hives at random moments of one download, then lets one end it. */
const killed = (folder: string, hub: string, sha256: string, kills: number, bytes: number) =>
  withMachine(folder, hub, async (on, env) => {
    const blobs = join(on.home, "hf", "hub", "models--bench--big", "blobs")
    const here = () => {
      try {
        return readdirSync(blobs).map((name) => ({ name, bytes: statSync(join(blobs, name)).size }))
      } catch {
        return []
      }
    }
    let corrupt = 0
    let lost = 0
    let inFlight = 0
    for (let i = 0; i < kills; i++) {
      const hive = await startHive(on, env, programs)
      const before = here()[0]?.bytes ?? 0
      await runEffect(hive.api.provisionModel({ model_ref: ModelRef.make(model) }))
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 150))
      hive.process.kill("SIGKILL")
      await hive.exit
      const after = here()[0]
      if (after !== undefined && after.bytes < before) lost += before - after.bytes
      if (after !== undefined && after.bytes > before && after.bytes < bytes) inFlight++
      if (here().some(({ name, bytes: size }) => name === sha256 && size !== bytes)) corrupt++
    }
    await bring(await startHive(on, env, programs))
    const digest = execFileSync("sha256sum", [join(blobs, sha256)], { encoding: "utf8" })
    return { corrupt: corrupt + (digest.startsWith(sha256) ? 0 : 1), lost, inFlight }
  })

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const [megabytes = 1024, rounds = 5, kills = 10] = args.map(Number)
  const folder = mkdtempSync(join(tmpdir(), "rbee-bench-download-"))
  try {
    const { file, sha256 } = bigModel(join(folder, "hub"), megabytes)
    const { size } = statSync(file)
    const hub = await startHub(join(folder, "hub"))
    try {
      // the hub reads the file once for its hash
      await head(`${hub.url}${path}`)
      const figures = await interleaved(
        { rbee: () => byHive(folder, hub.url), curl: () => byCurl(folder, hub.url, sha256) },
        rounds
      )
      const after = await killed(folder, hub.url, sha256, kills, size)
      const speed = ratio(figures.curl, figures.rbee)
      const rate = (values: ReadonlyArray<number>) => size / 1e6 / (median(values) / 1000)
      report(
        "download",
        [
          { what: "file", value: size / 1e6, unit: "MB" },
          { what: "rbee, from the request to the published file", value: rate(figures.rbee), unit: "MB/s" },
          { what: "curl then sha256sum", value: rate(figures.curl), unit: "MB/s" },
          {
            what: "rbee ÷ curl then sha256sum",
            value: speed.median,
            unit: "×",
            against: `p5 ${speed.p5.toFixed(2)}, p95 ${speed.p95.toFixed(2)}, ${speed.pairs} pairs`,
            target: "≥ 0.95"
          },
          { what: "kills", value: kills, unit: `(${after.inFlight} of them with bytes on their way)` },
          { what: "corrupt files published", value: after.corrupt, unit: "", target: "0" },
          { what: "bytes lost of those on disk", value: after.lost, unit: "", target: "0" }
        ],
        figures
      )
    } finally {
      hub.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
