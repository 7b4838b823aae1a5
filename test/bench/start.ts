/**
 * `rbee infer` from nothing running, and warm, against a 20-line script that loads the same model with
 * node-llama-cpp and prints one answer. Wall time; interleaved rounds.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Machine, makeMachine } from "../support/machine.ts"
import { interleaved, median, ratio, report, timed } from "./support.ts"

// the bundle lies in .bench/bundle
const root = fileURLToPath(new URL("../..", import.meta.url))
const modelPath = `${root}/models/minillama/minillama-q8_0.gguf`

interface Times {
  readonly firstMs: number
  readonly exitMs: number
}

const run = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Promise<Times> =>
  new Promise((resolve, reject) => {
    const began = performance.now()
    let firstMs = Number.NaN
    let stderr = ""
    const child = spawn(process.execPath, args, { env, cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.on("data", () => {
      if (Number.isNaN(firstMs)) firstMs = performance.now() - began
    })
    child.stderr.on("data", (text: Buffer) => void (stderr += text.toString()))
    child.once("close", (code) =>
      code === 0 ? resolve({ firstMs, exitMs: performance.now() - began }) : reject(new Error(stderr))
    )
  })

const rbee = `${root}/dist/rbee.js`
const cold = async (): Promise<Times> => {
  const machine = await makeMachine({ programs: `${root}/dist` })
  try {
    return await run([rbee, "infer", "--temperature", "0", "hello"], machine.env)
  } finally {
    await machine.dispose()
  }
}
const curl = async (machine: Machine): Promise<number> => {
  const { ms } = await timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const body = JSON.stringify({
          model: "minillama",
          temperature: 0,
          messages: [{ role: "user", content: "hello" }]
        })
        spawn("curl", [
          "-sf",
          "-o",
          "/dev/null",
          "-H",
          "content-type: application/json",
          "-d",
          body,
          `${machine.queenUrl}/v1/chat/completions`
        ])
          .once("error", reject)
          .once("close", (code) => (code === 0 ? resolve() : reject(new Error(`curl ended with ${code}`))))
      })
  )
  return ms
}

const main = async (args: ReadonlyArray<string>): Promise<void> => {
  const rounds = Number(args[0] ?? 7)
  const machine = await makeMachine({ programs: `${root}/dist` })
  try {
    await run([rbee, "infer", "--temperature", "0", "hello"], machine.env)
    const figures = await interleaved(
      {
        script: () => run([`${root}/test/bench/peers/one-answer.mjs`, modelPath], process.env),
        cold,
        warm: () => run([rbee, "infer", "--temperature", "0", "hello"], machine.env),
        curl: async () => ({ firstMs: 0, exitMs: await curl(machine) })
      },
      rounds
    )
    const of = (name: keyof typeof figures, key: keyof Times) => figures[name].map((times) => times[key])
    report(
      "start",
      [
        { what: "script to exit", value: median(of("script", "exitMs")), unit: "ms" },
        { what: "cold to first token", value: median(of("cold", "firstMs")), unit: "ms" },
        { what: "cold to exit", value: median(of("cold", "exitMs")), unit: "ms" },
        { what: "warm to first token", value: median(of("warm", "firstMs")), unit: "ms" },
        { what: "warm to exit", value: median(of("warm", "exitMs")), unit: "ms" },
        { what: "curl of the same job", value: median(of("curl", "exitMs")), unit: "ms" },
        {
          what: "cold ÷ script",
          value: ratio(of("cold", "exitMs"), of("script", "exitMs")).median,
          unit: "×",
          target: "≤ 2.0"
        },
        {
          what: "warm ÷ script",
          value: ratio(of("warm", "exitMs"), of("script", "exitMs")).median,
          unit: "×",
          target: "≤ 0.4"
        },
        {
          what: "warm − curl",
          value: median(of("warm", "exitMs")) - median(of("curl", "exitMs")),
          unit: "ms",
          target: "≤ 120"
        },
        {
          what: "first token, cold ÷ warm",
          value: median(of("cold", "firstMs")) / median(of("warm", "firstMs")),
          unit: "×",
          target: "≥ 5 (A3)"
        }
      ],
      figures
    )
  } finally {
    await machine.dispose()
  }
}
export { main as run }
