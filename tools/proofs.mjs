/**
 * The long proofs, each a few programs one after another: what `npm test` has a sample of. `minutes`: on two cores
 * with nothing else to do. CONTRIBUTING.md lists them, and test/docs checks that it does.
 */
const node = (...args) => ["node", ...args]
const npm = (...args) => node(process.env.npm_execpath ?? "npm", ...args, "--no-audit", "--no-fund")
const bench = (name, ...args) => node("tools/bench.mjs", name, ...args)
const simulate = (...args) => node("--max-semi-space-size=64", "dist/simulate.mjs", "--jobs", "2", ...args)
/** Test files, which then take all of what they have (test/support/proof.ts). */
const tests = (...files) =>
  node("node_modules/vitest/vitest.mjs", "run", ...files.map((file) => `test/${file}.test.ts`))

/** With no way out of this machine. */
const offline = ([, ...args]) => node("tools/offline.mjs", ...args)

/** `--minutes N` of the command line reaches those that run for a time. */
export const proofs = [
  {
    name: "families",
    minutes: 4,
    needs: "",
    what: "every family of models in the real engine: loaded, the same answer however it comes about, wrong headers, memory",
    steps: () => [
      tests("layers/engine/families", "layers/engine/exact", "layers/engine/ways", "machines/gguf-fuzz"),
      tests("machines/policy/estimate-real"),
      tests("layers/engine/pieces", "machines/dialect/learn")
    ]
  },
  {
    name: "schemas",
    minutes: 3,
    needs: "",
    what: "2 000 JSON schemas as grammars: what is let through validates, what satisfies them is let through",
    steps: () => [tests("machines/grammar/schemas")]
  },
  {
    name: "kills",
    minutes: 25,
    needs: "",
    what: "every process killed or stopped in every phase of a run; 200 kills in downloads; an upgrade under 20 answers",
    steps: () => [bench("kill-matrix"), bench("kill-downloads"), tests("e2e/upgrade"), tests("e2e/service-upgrade")]
  },
  {
    name: "calls",
    minutes: 15,
    needs: "",
    what: "worker, hive and queen killed after every token of a tool's call and of a JSON answer, heard over every surface at once",
    steps: () => [tests("e2e/killed-calls", "e2e/killed-json")]
  },
  {
    name: "turns",
    minutes: 20,
    needs: "",
    what: "10 000 turns of conversations kept in files, moved and struck: each answer that of a model that has read nothing before",
    steps: () => [tests("e2e/turns")]
  },
  {
    name: "seeds",
    minutes: 6,
    needs: "",
    what: "200 seeds of the simulated cluster, each twice with the same event log; every planted bug is found",
    steps: () => [tests("simulation/simulation"), bench("planted")]
  },
  {
    name: "mutants",
    minutes: 25,
    needs: "",
    what: "every fault planted in the core of the actors is noticed by its check; of small changes there at least 85 %",
    steps: () => [tests("actors/core/mutations"), node("tools/mutants/mutate.mjs", "core")]
  },
  {
    name: "clients",
    minutes: 5,
    needs: "npm's registry",
    what: "coding agents and libraries as people have them, set up as docs/clients.md says, looping with tools, and objects by a schema, with no way out; a worker killed meanwhile",
    steps: () => [
      npm("ci", "--prefix", "test/clients"),
      offline(tests("clients/libraries", "clients/embeddings", "clients/objects", "clients/agents"))
    ]
  },
  {
    name: "remote",
    minutes: 8,
    needs: "sshd, ip netns, npm's registry",
    what: "another machine: installed by the real npm, rebooted under 200 jobs, cut off for a minute",
    steps: () => [tests("e2e/remote-install", "e2e/remote-reboot", "e2e/remote-cuts")]
  },
  {
    name: "sizes",
    minutes: 4,
    needs: "",
    what: "what is large: a prompt of 100 KB, 120 hives gone at once",
    steps: () => [tests("e2e/infer", "e2e/lost-hives")]
  },
  {
    name: "pages",
    minutes: 2,
    needs: "chromium",
    what: "the queen's page and the inspector, every view at every width, by day and by night: axe, and nothing cut",
    steps: () => [tests("e2e/front-door-views", "e2e/inspector")]
  },
  {
    name: "fuzz",
    minutes: 20,
    needs: "",
    what: "hostile inputs for every edge, 50 000 and more",
    steps: ({ minutes = 20 }) => [node("tools/fuzz.mjs", "--minutes", String(minutes), "--inputs", "20000")]
  },
  {
    name: "soak",
    minutes: 60,
    needs: "",
    what: "the simulated cluster under faults for an hour",
    steps: ({ minutes = 60 }) => [simulate("--minutes", String(minutes))]
  }
]

/** One line for each, as CONTRIBUTING.md has them. */
export const listed = proofs
  .map(
    ({ minutes, name, needs, what }) =>
      `${name.padEnd(9)} ${String(minutes).padStart(3)} min  ${what}${needs === "" ? "" : `; needs ${needs}`}`
  )
  .join("\n")
