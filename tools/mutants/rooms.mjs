/**
 * What the mutation run changes and by which tests it is to be noticed, room by room. A room holds when at least
 * `leastScore` percent of its mutants are noticed. Left out are tests with a program or a minute of their own, and
 * those that plant faults themselves.
 */
export const leastScore = 85

export const rooms = [
  {
    name: "core",
    source: /^src\/actors\/core\//,
    tests: ["test/actors/core/*.test.ts"],
    without: ["test/actors/core/{mutations,endurance}.test.ts"]
  },
  {
    name: "queen",
    source: /^src\/actors\/queen\/(jobs|placement|log)\//,
    tests: ["test/actors/queen/*.test.ts", "test/simulation/regressions.test.ts"],
    without: []
  },
  {
    name: "charts",
    source: /^src\/machines\/(charts\/)?[^/]+$/,
    tests: ["test/machines/*.test.ts", "test/docs/{charts-drawn,narration}.test.ts"],
    without: ["test/machines/{gguf*,json*,hub*,model*,chat*}.test.ts"]
  },
  {
    name: "policy",
    source: /^src\/machines\/policy\//,
    // of the turns and the search the queen's own tests have what takes several of them
    tests: [
      "test/machines/policy/*.test.ts",
      "test/machines/queue-pace.test.ts",
      "test/actors/queen/{room,reload,plan,placing}.test.ts"
    ],
    without: ["test/machines/policy/{estimate-*,swapping}.test.ts"]
  },
  {
    name: "formats",
    source: /^src\/machines\/(formats|kinds)\//,
    tests: ["test/machines/*.test.ts", "test/machines/policy/estimate{,-cuda}.test.ts"],
    without: ["test/machines/gguf-fuzz.test.ts"]
  },
  {
    name: "vocabulary",
    source: /^src\/machines\/vocabulary\//,
    // what clients may say, by the edges that take it; every field by what is drawn of them all
    tests: [
      "test/machines/{,vocabulary/}*.test.ts",
      "test/contract/wire/*.test.ts",
      "test/actors/queen/{openai,anthropic,ollama,responses}{,-fields}.test.ts",
      "test/actors/queen/{completions,stored-responses,llama-server,measuring-fields,logprobs}.test.ts"
    ],
    without: ["test/machines/{gguf*,hub*,family*}.test.ts"]
  },
  {
    name: "dialect",
    source: /^src\/machines\/(dialect|grammar)\//,
    // no other test of a pure part asks anything of it
    tests: ["test/machines/{dialect,grammar}/*.test.ts"],
    without: []
  }
]
