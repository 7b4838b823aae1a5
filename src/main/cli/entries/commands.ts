/** How they are declared. */
import { lazily } from "../lazily.ts"
import { declare, flag } from "../spec.ts"

const entries = () => import("./run.ts")

const set = declare({
  path: ["models", "set"],
  summary: "give a model a name of your own, with what it has where a request says nothing; kept in the configuration",
  examples: [
    'rbee models set coder ref=minillama temperature=0.2 system="You write code."',
    "rbee models set coder context=4096 aliases=gpt-4o,gpt-4o-mini --default"
  ],
  words: {
    name: "NAME",
    doc: "then FIELD=VALUE, any number: ref, aliases, system, reasoning, context, slots, kv_type, keep_loaded, hive, device, temperature, …",
    min: 1,
    max: 64
  },
  flags: { default: flag("default", "it runs where no model is named; NAME may be any model's then") },
  run: (values, words, context) => lazily(entries, (module) => module.set(words, values.default, context))
})
const unset = declare({
  path: ["models", "unset"],
  summary: "take a name of your own back, or fields of it",
  examples: ["rbee models unset coder temperature", "rbee models unset coder", "rbee models unset --default"],
  words: { name: "NAME", doc: "then fields; the whole entry without", min: 0, max: 64 },
  flags: { default: flag("default", "what runs where no model is named is minillama again") },
  run: (values, words, context) => lazily(entries, (module) => module.unset(words, values.default, context))
})
const list = declare({
  path: ["models", "entries"],
  summary: "list the names of your own, and what they stand for",
  examples: ["rbee models entries", "rbee models entries --json"],
  flags: { json: flag("json", "print JSON") },
  run: (values, _, context) => lazily(entries, (module) => module.list(values.json, context))
})

export const entryCommands = [set, unset, list]
