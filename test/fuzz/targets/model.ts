/** Model files in which something is wrong, asked for an answer: the file is refused or answers, and nobody else suffers. */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { writeFamily } from "../../support/families/index.ts"
import { mutant } from "../../support/families/mutate.ts"
import { openCluster, token } from "../cluster.ts"
import { Finding, type Target } from "../target.ts"

/** milliseconds in which a file is loaded and answers, or is refused */
const limitMs = 60_000
/** files between two looks at whether the bundled model answers */
const lookEvery = 10

export const model: Target = {
  name: "model",
  parallel: 2,
  open: async () => {
    const { check, machine, peakMb } = await openCluster({
      env: { RBEE_WORKER_CONTEXT: "128", RBEE_WORKER_SLOTS: "1" }
    })
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
    const ask = async (name: string, what: string) => {
      const body = JSON.stringify({ model: name, max_tokens: 2, messages: [{ role: "user", content: "hello" }] })
      const signal = AbortSignal.timeout(limitMs)
      const answer = await fetch(`${machine.queenUrl}/v1/chat/completions`, {
        method: "POST",
        headers,
        body,
        signal
      }).catch(() => undefined)
      if (answer === undefined) throw new Finding("hang", `no answer in ${limitMs} ms: ${what}`)
      return { status: answer.status, text: await answer.text() }
    }
    let count = 0
    return {
      one: async (random) => {
        const file = mutant(random)
        const what = `${file.architecture}: ${file.changes.join(", ")}`
        const path = join(machine.home, `mutant-${++count}.gguf`)
        await writeFamily(path, file)
        const { status, text } = await ask(`file:${path}`, what)
        rmSync(path)
        if (status === 500 || (status >= 400 && !/"code":\s*"[A-Za-z_]+"/.test(text)))
          throw new Finding("untyped", `${what} → ${status} ${text.slice(0, 500)}`)
        if (count % lookEvery === 0) {
          const others = await ask("minillama", "the bundled model")
          if (others.status !== 200)
            throw new Finding("crash", `others suffer after ${what}: ${others.text.slice(0, 500)}`)
        }
        return 1
      },
      check,
      peakMb,
      close: () => machine.dispose()
    }
  }
}
