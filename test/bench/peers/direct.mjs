/** node-llama-cpp called directly: answers each line of stdin with `{ms, cpu}` of n sequences decoded together. */
import { createInterface } from "node:readline"
import { getLlama } from "node-llama-cpp"
const [, , modelPath, slots, threads, tokens] = process.argv
const llama = await getLlama({ build: "never", gpu: false, logLevel: "error", maxThreads: Number(threads) })
const model = await llama.loadModel({ modelPath })
const context = await model.createContext({ sequences: Number(slots), threads: Number(threads), contextSize: 512 })
const sequences = Array.from({ length: Number(slots) }, () => context.getSequence())
const prompt = model.tokenize("tell me a story")
console.log("ready")
for await (const _ of createInterface({ input: process.stdin })) {
  const cpu = process.cpuUsage()
  const began = performance.now()
  await Promise.all(
    sequences.map(async (sequence) => {
      await sequence.clearHistory()
      let count = 0
      for await (const token of sequence.evaluate([...prompt], { temperature: 0, yieldEogToken: true })) {
        model.detokenize([token])
        if (++count === Number(tokens)) break
      }
    })
  )
  const { user, system } = process.cpuUsage(cpu)
  console.log(JSON.stringify({ ms: performance.now() - began, cpu: (user + system) / 1e6 }))
}
