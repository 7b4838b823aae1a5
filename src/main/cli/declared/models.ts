/** Models: found, fetched, looked at and removed. */
import { lazily } from "../lazily.ts"
import { ranges } from "../../../machines/vocabulary/common.ts"
import { HiveId } from "../../../machines/vocabulary/ids.ts"
import { entryCommands } from "../entries/commands.ts"
import { json, list, model, one } from "./shared.ts"
import { atLeast, type Declared, declare, flag, id, number, taking } from "../spec.ts"

const models = () => import("../commands/models.ts")
const onHive = { hive: taking("hives", id(HiveId, "hive", "ID", "on this hive; on all that have it by default")) }
export const pull = (path: ReadonlyArray<string>, summary: string) =>
  declare({
    path,
    summary,
    examples: [`rbee ${path.join(" ")} HF:author/repo:Q4_K_M`, `rbee ${path.join(" ")} HF:author/repo --hive attic`],
    words: model,
    flags: {
      ...json,
      hive: taking("hives", id(HiveId, "hive", "ID", "the hive that fetches; this machine's own by default"))
    },
    run: (values, words, context) => lazily(models, (module) => module.pull(words[0] ?? "", values, context))
  })
const modelsScan = declare({
  path: ["models", "scan"],
  summary: "find the models that Ollama, LM Studio and others have left on this machine; they are used where they lie",
  examples: ["rbee models scan", "rbee models scan /data/models", "rbee models scan --hive attic --json"],
  words: {
    name: "FOLDER",
    doc: "besides the folders of Hugging Face, Ollama, LM Studio and llama.cpp",
    min: 0,
    max: 64
  },
  flags: { ...json, hive: id(HiveId, "hive", "ID", "on this hive's machine; this machine's own by default") },
  run: (values, words, context) =>
    lazily(
      () => import("../finding/scan.ts"),
      (module) => module.scan(words, values, context)
    )
})
const modelsSearch = declare({
  path: ["models", "search"],
  summary: "search the hub for models that are served here; nothing is woken, nothing fetched",
  examples: ["rbee models search qwen3 4b", "rbee models search coder --limit 30 --json"],
  words: { name: "WORDS", doc: "of a repository's name", min: 1, max: 32 },
  flags: { ...json, limit: number("limit", "N", "repositories; 10 by default", { whole: true, within: [1, 50] }) },
  run: (values, words, context) =>
    lazily(
      () => import("../finding/search.ts"),
      (module) => module.search(words, values, context)
    )
})
const modelsFit = declare({
  path: ["models", "fit"],
  summary: "what of a repository fits which device, with how much context, and how fast; nothing is fetched",
  examples: ["rbee models fit HF:author/repo", "rbee models fit HF:author/repo:Q4_K_M --context 32768"],
  words: one("REPO", "a repository of the hub, or any model; of what leaves a choice every one"),
  flags: {
    ...json,
    context: number("context", "TOKENS", "that a slot has to have; the usual by default", {
      whole: true,
      within: ranges.context
    })
  },
  run: (values, words, context) =>
    lazily(
      () => import("../finding/fit.ts"),
      (module) => module.fit(words[0] ?? "", values, context)
    )
})
const modelsShow = declare({
  path: ["models", "show"],
  summary: "what is known of one model: file, facts, why this file, last use",
  examples: ["rbee models show minillama", "rbee models show HF:author/repo:Q4_K_M --json"],
  words: model,
  flags: json,
  run: (values, words, context) => lazily(models, (module) => module.show(words[0] ?? "", values.json, context))
})
const modelsDialect = declare({
  path: ["models", "dialect"],
  summary: "how a model writes reasoning and tools' calls, learned from its chat template and tried",
  examples: ["rbee models dialect ./model.gguf", "rbee models dialect chat_template.jinja --json"],
  words: one("FILE", "a model's .gguf, or a chat template alone", "files"),
  flags: json,
  run: (values, words, context) =>
    lazily(
      () => import("../commands/dialect.ts"),
      (module) => module.dialect(words[0] ?? "", values.json, context)
    )
})
const modelsRm = declare({
  path: ["models", "rm"],
  summary: "remove a model; its file too, if rbee brought it",
  examples: ["rbee models rm HF:author/repo:Q4_K_M", "rbee models rm HF:author/repo:Q4_K_M --hive attic"],
  words: model,
  flags: onHive,
  run: (values, words, context) => lazily(models, (module) => module.remove(words[0] ?? "", values.hive, context))
})
const pinning = (name: "pin" | "unpin", summary: string): Declared =>
  declare({
    path: ["models", name],
    summary,
    examples: [`rbee models ${name} HF:author/repo:Q4_K_M`],
    words: model,
    flags: onHive,
    run: (values, words, context) =>
      lazily(models, (module) => module.pin(words[0] ?? "", name === "pin", values.hive, context))
  })
const modelsRetry = declare({
  path: ["models", "retry"],
  summary: "try a model again where it is not tried any more, because its workers died of it",
  examples: ["rbee models retry file:/models/a.gguf"],
  words: model,
  flags: onHive,
  run: (values, words, context) => lazily(models, (module) => module.retry(words[0] ?? "", values.hive, context))
})
const modelsGc = declare({
  path: ["models", "gc"],
  summary: "make room: the least recently used models go, down to a size",
  examples: ["rbee models gc --max-mb 50000 --dry-run", "rbee models gc --max-mb 0 --last-copies"],
  flags: {
    ...json,
    max: number("max-mb", "N", "MB of models that each hive may keep", atLeast(0)),
    lastCopies: flag("last-copies", "the last copy of a model in the cluster may go too"),
    dryRun: flag("dry-run", "tell what would go, and change nothing")
  },
  run: (values, _, context) => lazily(models, (module) => module.gc(values, context))
})

export const modelCommands: ReadonlyArray<Declared> = [
  list("models"),
  pull(["models", "pull"], "fetch a model and wait for it; goes on where an earlier try broke off"),
  modelsSearch,
  modelsFit,
  modelsScan,
  modelsShow,
  modelsDialect,
  modelsRm,
  pinning("pin", "keep a model whatever else needs room"),
  pinning("unpin", "let gc remove a model again"),
  modelsRetry,
  modelsGc,
  ...entryCommands
]
