/** How they are declared. */
import { lazily } from "../lazily.ts"
import { json, one } from "../declared/shared.ts"
import { declare, text } from "../spec.ts"

const engines = () => import("./run.ts")
const name = one("ENGINE", "llama or llama-server", ["llama", "llama-server"])
const built = one("ENGINE", "llama-server", ["llama-server"])

const list = declare({
  path: ["engines", "ls"],
  summary: "list the engines of this machine",
  examples: ["rbee engines ls", "rbee engines ls --json"],
  flags: json,
  run: (values, _, context) => lazily(engines, (module) => module.list(values.json, context))
})
const show = declare({
  path: ["engines", "show"],
  summary: "an engine of this machine: where it is, what it can do, what is wrong with it",
  examples: ["rbee engines show llama-server"],
  words: name,
  flags: json,
  run: (values, words, context) => lazily(engines, (module) => module.show(words[0] ?? "", values.json, context))
})
const install = declare({
  path: ["engines", "install"],
  summary: "build an engine for this machine; it takes a compiler and half an hour, and goes on where it was ended",
  examples: ["rbee engines install llama-server"],
  words: built,
  flags: {
    archive: text("archive", "FILE", "its source, as `npm pack node-llama-cpp` has it, where npm reaches no registry")
  },
  run: (values, words, context) => lazily(engines, (module) => module.install(words[0] ?? "", values.archive, context))
})
const remove = declare({
  path: ["engines", "rm"],
  summary: "remove an engine that was built for this machine",
  examples: ["rbee engines rm llama-server"],
  words: built,
  flags: {},
  run: (_, words, context) => lazily(engines, (module) => module.remove(words[0] ?? "", context))
})

export const engineCommands = [list, show, install, remove]
