/** llama.cpp's own server, as `npm run peer` builds it: tests that need it are skipped where nobody has. */
import { existsSync } from "node:fs"
import { layerLlamaServer } from "../../src/layers/engine/llama-server.ts"
import { peerProgram } from "../../tools/llama-server.mjs"

export const builtServer = (): string | undefined => {
  const program: string = peerProgram()
  return existsSync(program) ? program : undefined
}

/** What it says, and how it went, are nobody's business. */
export const layerOf = (program: string) =>
  layerLlamaServer({ program, backend: "cpu", onWords: () => undefined, onEnd: () => undefined })
