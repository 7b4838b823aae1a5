/** Logs, pages, a hub, the simulator, the shell's completions. */
import { lazily } from "../lazily.ts"
import { lines, one } from "./shared.ts"
import { atLeast, declare, flag, number, port as portNumber, text } from "../spec.ts"

const logs = declare({
  path: ["logs"],
  summary: "show the daemons' logs",
  examples: ["rbee logs", "rbee logs worker -n 20", "rbee logs queen --follow"],
  words: {
    name: "ROLE",
    doc: "queen, hive or worker; all by default",
    min: 0,
    max: 1,
    values: ["queen", "hive", "worker"]
  },
  flags: {
    follow: flag("follow", "stay, and show what is added", "f"),
    lines
  },
  run: (values, words, context) =>
    lazily(
      () => import("../commands/logs.ts"),
      (module) => module.logs(words[0], values, context)
    )
})
const hub = declare({
  path: ["hub"],
  summary: "serve a folder of GGUF files as a hub, for machines without internet",
  examples: ["rbee hub ./models", "rbee hub ./models --port 8701"],
  words: one("DIR", "DIR/author/repo/*.gguf is HF:author/repo; DIR/*.gguf is HF:local/NAME-OF-DIR", "folders"),
  flags: {
    port: number("port", "N", "8700 by default; 0 takes a free one", { ...portNumber(0), alias: "p" }),
    host: text("host", "ADDRESS", "127.0.0.1 by default; another one is open to whoever reaches it")
  },
  run: (values, words, context) =>
    lazily(
      () => import("../commands/hub.ts"),
      (module) => module.hub(words[0] ?? "", values, context)
    )
})
const openPage = declare({
  path: ["open"],
  summary: "let a browser in: a link that works once gives it the rights of the cluster's token",
  examples: ["rbee open", "rbee open --print   # only the link"],
  flags: { print: flag("print", "print the link, open no browser") },
  run: (values, _, context) =>
    lazily(
      () => import("../commands/inspect.ts"),
      (module) => module.open(values.print, context)
    )
})
const inspect = declare({
  path: ["inspect"],
  summary: "see the cluster think: a page with every actor, or with a recorded trace",
  examples: ["rbee inspect", "rbee inspect trace.jsonl", "rbee inspect --print   # only the address"],
  words: {
    name: "FILE",
    doc: "a trace, saved by the page or by the simulator; the running cluster by default",
    min: 0,
    max: 1,
    values: "files"
  },
  flags: {
    print: flag("print", "print the address, open no browser"),
    port: number("port", "N", "for a FILE; a free one by default", { ...portNumber(0), alias: "p" })
  },
  run: (values, words, context) =>
    lazily(
      () => import("../commands/inspect.ts"),
      (module) => module.inspect(words[0], values, context)
    )
})
const simulate = declare({
  path: ["simulate"],
  summary: "run the whole cluster on virtual time, under faults that a seed draws",
  examples: ["rbee simulate --seeds 100", "rbee simulate --seed 7 --trace seed-7.jsonl"],
  words: {
    name: "FILE",
    doc: "with --trace: what `rbee inspect FILE` shows; seed-N.jsonl by default",
    min: 0,
    max: 1,
    values: "files"
  },
  flags: {
    seed: number("seed", "N", "one seed; the same one runs the same way everywhere", atLeast(0)),
    seeds: number("seeds", "N", "a batch, from seed 1 on; what breaks is shrunk", atLeast(1)),
    trace: flag("trace", "with --seed: print its event log, and write FILE"),
    coverage: flag("coverage", "with --seeds: which states and transitions of the charts were not reached")
  },
  run: ({ coverage, seed, seeds, trace }, words, context) =>
    lazily(
      () => import("../commands/simulate.ts"),
      (module) =>
        module.simulate(
          [
            ...(seed === undefined ? [] : ["--seed", String(seed)]),
            ...(seeds === undefined ? [] : ["--seeds", String(seeds)]),
            ...(trace ? ["--trace"] : []),
            ...(coverage ? ["--coverage"] : []),
            ...words
          ],
          context
        )
    )
})
const completions = declare({
  path: ["completions"],
  summary: "print a completion script for bash, zsh or fish",
  examples: ['eval "$(rbee completions bash)"', "rbee completions fish > ~/.config/fish/completions/rbee.fish"],
  words: one("SHELL", "bash, zsh or fish", ["bash", "zsh", "fish"]),
  flags: {},
  run: (_, words, context) =>
    lazily(
      () => import("../completions/completions.ts"),
      (module) => module.completions(words[0] ?? "", context)
    )
})

export const toolCommands = [logs, hub, openPage, inspect, simulate, completions]
