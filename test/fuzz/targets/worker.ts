/** A worker that says and answers anything, started by a real hive for jobs of a real queen. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { openCluster, token } from "../cluster.ts"
import { Finding, type Target } from "../target.ts"

/** milliseconds in which a job ends, or is cancelled */
const limitMs = 60_000
/** what a worker says and answers while one job is with it, on average */
const saidPerJob = 30

export const worker: Target = {
  name: "worker",
  parallel: 4,
  open: async () => {
    const programs = mkdtempSync(resolve(".bench/fuzz-"))
    cpSync("dist", programs, { recursive: true })
    writeFileSync(join(programs, "worker.js"), 'void import("../fuzz/worker-program.js")\n')
    const { check, machine, peakMb } = await openCluster({ programs })
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
    return {
      one: async (random) => {
        const body = JSON.stringify({
          model: "minillama",
          messages: [{ role: "user", content: "hello" }],
          max_tokens: random.int(1, 9),
          stream: random.chance(0.5)
        })
        const abort = AbortSignal.timeout(limitMs)
        const patience = random.chance(0.3) ? AbortSignal.timeout(random.int(10, 2000)) : abort
        const asked = machine.fetch(`${machine.queenUrl}/v1/chat/completions`, {
          method: "POST",
          headers,
          body,
          signal: patience
        })
        const text = await asked
          .then(async (answer) => ({ status: answer.status, body: await answer.text() }))
          .catch(() => undefined)
        if (text === undefined && abort.aborted) throw new Finding("hang", `a job did not end in ${limitMs} ms`)
        if (text !== undefined && text.status >= 400 && !/"code":\s*"[A-Za-z_]+"/.test(text.body))
          throw new Finding("untyped", `${text.status} ${text.body.slice(0, 500)}`)
        return saidPerJob
      },
      check,
      peakMb,
      close: async () => {
        await machine.dispose()
        rmSync(programs, { recursive: true, force: true })
      }
    }
  }
}
