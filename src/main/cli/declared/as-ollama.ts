/** What Ollama's users type. */
import { lazily } from "../lazily.ts"
import { run } from "../commands/infer-command.ts"
import { pull } from "./models.ts"
import { list, daemons, model } from "./shared.ts"
import { declare } from "../spec.ts"

const serve = declare({
  path: ["serve"],
  summary: "queen and hive in the foreground, until Ctrl-C; as `rbee up --foreground`",
  examples: ["rbee serve"],
  flags: {},
  run: (_, __, context) => lazily(daemons, (module) => module.up(true, context))
})
const stop = declare({
  path: ["stop"],
  summary: "unload a model: its workers end, its memory is free again",
  examples: ["rbee ps", "rbee stop minillama"],
  words: model,
  flags: {},
  run: (_, words, context) => lazily(daemons, (module) => module.modelStop(words[0] ?? "", context))
})
export const asOllama = [
  run,
  pull(["pull"], "fetch a model; as `rbee models pull`"),
  list("models", ["list"], "the models that are here; as `rbee models ls`"),
  list("workers", ["ps"], "the models that are loaded, and where; as `rbee workers ls`"),
  stop,
  serve
]
