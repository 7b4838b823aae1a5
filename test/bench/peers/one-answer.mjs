/** What a user would write instead of rbee: load the model, print one answer. */
import { getLlama, LlamaChatSession } from "node-llama-cpp"
const llama = await getLlama({ build: "never", gpu: false, logLevel: "error", maxThreads: 1 })
const model = await llama.loadModel({ modelPath: process.argv[2] })
const context = await model.createContext({ sequences: 4, threads: 1 })
const session = new LlamaChatSession({ contextSequence: context.getSequence() })
await session.prompt("hello", { temperature: 0, onTextChunk: (text) => process.stdout.write(text) })
process.exit(0)
