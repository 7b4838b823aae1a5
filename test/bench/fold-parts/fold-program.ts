/** A worker whose model says what `said` does, in a dialect where it was offered tools, and as text where not. */
import "../../../src/main/working-folder.ts"
import { runWorker } from "../../../src/main/worker/run.ts"
import { layerScripted } from "../../../src/layers/engine/scripted.ts"
import { llama } from "../../../src/machines/kinds/llama/llama.ts"
import { objectsBetweenMarks } from "../../support/scripts.ts"
import { isKind, tokensOf } from "./said.ts"

const asked = (text = "") => (isKind(text) ? tokensOf(text) : ["hello"])

runWorker({
  [llama.id]: {
    layer: () =>
      layerScripted({
        // nothing but the tools makes an answer more than text
        dialect: { ...objectsBetweenMarks, reasoning: null },
        answer: ({ messages }) => asked(messages.at(-1)?.content)
      })
  }
})
