/** How they are declared. */
import { lazily } from "../lazily.ts"
import { atLeast, declare, flag, number, taking, text, type Words } from "../spec.ts"

const people = () => import("./run.ts")
const json = { json: flag("json", "print JSON") }
const name: Words = { name: "NAME", doc: "whose key it is", min: 1, max: 1 }

const add = declare({
  path: ["keys", "add"],
  summary: "a key for a person, shown this once",
  examples: ["rbee keys add ada", "rbee keys add ben --tokens-per-day 100000 --concurrent 2 --expires 30d"],
  words: name,
  flags: {
    models: taking("models", text("models", "A,B", "models that it may ask; all by default")),
    tokensPerDay: number("tokens-per-day", "N", "of prompts and answers, in a day of the queen's", atLeast(1)),
    concurrent: number("concurrent", "N", "jobs at once, those that wait among them", atLeast(1)),
    weight: number("weight", "W", "its share of the devices under load, beside others of weight 1", {
      within: [0.01, 1000]
    }),
    expires: text("expires", "WHEN", "30d, 12h, 2027-01-31, or a time"),
    scope: text("scope", "A,B", "infer, manage, observe; infer by default"),
    ...json
  },
  run: (values, words, context) => lazily(people, (module) => module.add(words[0] ?? "", values, context))
})
const list = declare({
  path: ["keys", "ls"],
  summary: "list keys, and what each may",
  examples: ["rbee keys ls", "rbee keys ls --json"],
  flags: json,
  run: (values, _, context) => lazily(people, (module) => module.list(values.json, context))
})
const revoke = declare({
  path: ["keys", "revoke"],
  summary: "a key opens nothing any more, and what it asks for at the moment ends",
  examples: ["rbee keys revoke ada"],
  words: name,
  flags: json,
  run: (values, words, context) => lazily(people, (module) => module.revoke(words[0] ?? "", values.json, context))
})
const usage = declare({
  path: ["keys", "usage"],
  summary: "what each key has used, by day, and what it has left",
  examples: ["rbee keys usage", "rbee keys usage ada --days 7 --json"],
  words: { ...name, doc: "of this key alone", min: 0 },
  flags: {
    days: number("days", "N", "how many, today among them; 30 by default", { whole: true, within: [1, 400] }),
    ...json
  },
  run: (values, words, context) => lazily(people, (module) => module.usage(words[0], values, context))
})
const audit = declare({
  path: ["audit"],
  summary: "what operators did: who, what, when, and how it ended",
  examples: ["rbee audit", "rbee audit -n 20 --json"],
  flags: {
    lines: number("lines", "N", "acts, the newest first; 100 by default", {
      alias: "n",
      whole: true,
      within: [1, 10_000]
    }),
    ...json
  },
  run: (values, _, context) => lazily(people, (module) => module.audit(values.lines, values.json, context))
})

export const peopleCommands = [add, list, revoke, usage, audit]
