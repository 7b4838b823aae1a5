/** A hive of an installation without the native runtime (`npm install --omit=optional`): it brings its own. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import { eventsOf, programs, provision, refused, run, startHive, startWorker } from "../support/hive.ts"
import { useMachines } from "../support/machines.ts"
import { DeviceId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

const machine = useMachines()
const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The programs as an installation without optional dependencies has them. */
const bare = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "rbee bare "))
  folders.push(folder)
  cpSync(programs, join(folder, "dist"), { recursive: true })
  mkdirSync(join(folder, "node_modules"))
  for (const name of ["better-sqlite3", "bindings", "file-uri-to-path"]) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name))
  }
  symlinkSync(join(root, "models"), join(folder, "models"))
  return join(folder, "dist")
}

describe("A hive without a runtime", () => {
  it("installs one, loads a model with it, and has it from then on", { timeout: 120_000 }, async () => {
    const here = await machine()
    const folder = bare()
    const hive = await startHive(here, {}, folder)
    await provision(hive, "minillama")
    expect(
      await refused(hive.api.startWorker({ device: DeviceId.make("cpu"), model_ref: ModelRef.make("minillama") }))
    ).toMatchObject({
      code: "BACKEND_UNAVAILABLE"
    })
    const asked = await Promise.all(
      Array.from({ length: 3 }, () => run(hive.api.provisionWorker({ kind: "cpu-llm-worker-rbee" })))
    )
    const ids = new Set(asked.map((answer) => (answer.status === 202 ? answer.body.provision_id : "available")))
    expect(ids.size).toBe(1)
    const [id = ""] = ids
    const events = await eventsOf(hive.api.runtimeEvents({ id }))
    expect(events.at(-1)?.event).toBe("ready")
    expect(events.some(({ event, data }) => event === "progress" && data["stage"] === "install")).toBe(true)
    expect((await startWorker(hive)).events.at(-1)?.event).toBe("ready")

    hive.process.kill("SIGKILL")
    await hive.exit
    const again = await startHive(here, {}, folder)
    expect(await run(again.api.provisionWorker({ kind: "cpu-llm-worker-rbee" }))).toMatchObject({
      body: { available: true }
    })
  })

  it("says what failed and how to go on, and leaves nothing", { timeout: 60_000 }, async () => {
    const here = await machine()
    const hive = await startHive(
      here,
      { npm_config_registry: "http://127.0.0.1:9/", npm_config_cache: join(here.home, "npm") },
      bare()
    )
    const asked = await run(hive.api.provisionWorker({ kind: "cpu-llm-worker-rbee" }))
    const id = asked.status === 202 ? asked.body.provision_id : ""
    const events = await eventsOf(hive.api.runtimeEvents({ id }))
    expect(events.at(-1)).toMatchObject({
      event: "failed",
      data: { code: "BACKEND_UNAVAILABLE", message: expect.stringContaining("npm install -g") }
    })
    expect(existsSync(join(hive.folder, "runtimes", "cpu-llm-worker-rbee-3.21.1"))).toBe(false)
  })
})
