/**
 * Real daemons (queen, hive and worker processes of `dist`, which must be built) whose model says a script: for clients,
 * surfaces and kills with tool calls. What is real: worker program, control pipe, journal, fold, surfaces; only the
 * engine is scripted.
 *
 *     const scripted = useScripted()                     // once in a test file; or useScripted({ script: a URL })
 *     const { machine, model, queenUrl } = await scripted()
 *     const client = new OpenAI({ baseURL: `${queenUrl}/v1`, apiKey: "none" })
 *     client.chat.completions.create({ model, tools: […], messages: [{ role: "user", content: "call: f {}\n---\nsay: ok" }] })
 *
 * The script is a module whose default export is `ScriptedOptions`; without one it is `agent.ts`, whose header says how
 * a user's message tells what is answered. `env` of a machine paces it: RBEE_WORKER_MAX_TOKENS_PER_S.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll } from "vitest"
import { bundle } from "../../../tools/build.mjs"
import { templates } from "../dialects.ts"
import { tiny } from "../gguf.ts"
import type { Machine } from "../machine.ts"
import { useMachines } from "../machines.ts"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const agent = new URL("./agent.ts", import.meta.url)

/** A copy of the built programs, in which a worker says this script. The caller removes the folder. */
export const scriptedPrograms = async (script: URL = agent): Promise<string> => {
  mkdirSync(join(root, ".bench"), { recursive: true })
  // within the checkout, so that packages are found from there
  const folder = mkdtempSync(join(root, ".bench", "scripted-"))
  cpSync(join(root, "dist"), folder, { recursive: true })
  const entry = join(folder, "worker-program.ts")
  writeFileSync(
    entry,
    [
      `import ${JSON.stringify(join(root, "src/main/working-folder.ts"))}`,
      `import { runWorker } from ${JSON.stringify(join(root, "src/main/worker/run.ts"))}`,
      `import { layerScripted } from ${JSON.stringify(join(root, "src/layers/engine/scripted.ts"))}`,
      `import { llama } from ${JSON.stringify(join(root, "src/machines/kinds/llama/llama.ts"))}`,
      `import script from ${JSON.stringify(fileURLToPath(script))}`,
      `runWorker({ [llama.id]: { layer: () => layerScripted(script) } })`
    ].join("\n")
  )
  await bundle({ worker: entry }, folder, { splitting: false, outExtension: { ".js": ".mjs" } })
  writeFileSync(join(folder, "worker.js"), 'void import("./worker.mjs")')
  return folder
}

/** A file that hives take for a model of this much context; its template writes as `agent.ts` does. */
export const scriptedModel = async (): Promise<string> =>
  `file:${await tiny({ context: 131_072, chat: templates["an object between marks"] })}`

export interface ScriptedCluster {
  readonly machine: Machine
  readonly model: string
  readonly queenUrl: string
}

export interface ScriptedUse {
  readonly script?: URL
  /** absent: of each test its own; `afterAll`: one that the tests of the file share */
  readonly after?: Parameters<typeof useMachines>[0]
}

export const useScripted = ({ after, script }: ScriptedUse = {}): ((
  env?: Readonly<Record<string, string>>
) => Promise<ScriptedCluster>) => {
  const machine = useMachines(after)
  let programs: Promise<string> | undefined
  afterAll(async () => {
    if (programs !== undefined) rmSync(await programs, { recursive: true, force: true })
  })
  return async (env = {}) => {
    const folder = await (programs ??= scriptedPrograms(script))
    const on = await machine({ programs: folder, env: { RBEE_WORKER_CONTEXT: "131072", ...env } })
    const started = await on.rbee(["queen", "start"])
    if (started.code !== 0) throw new Error(started.stderr)
    return { machine: on, model: await scriptedModel(), queenUrl: on.queenUrl }
  }
}
