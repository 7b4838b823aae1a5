/** docs/metrics.md lists what the code exports; `npx vitest run test/docs -u` writes it anew. */
import { expect, it } from "vitest"
import { families } from "../../src/actors/queen/metrics/metrics-text.ts"

const unitOf = (name: string): string =>
  name.includes("_seconds") ? "seconds" : name.includes("_bytes") ? "bytes" : name.includes("_tokens") ? "tokens" : "1"

const rows = families.map(
  ({ name, type, labels, help }) =>
    `| \`${name}\` | ${type} | ${unitOf(name)} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`
)

const page = `# Metrics

\`GET /metrics\` of the queen answers Prometheus text (format 0.0.4): her own counters since she started, and what her
hives tell her with every heartbeat, so one target is enough for the whole cluster. A family without a sample is left
out. Where the queen needs a token, the scraper sends it as a bearer token.

\`\`\`yaml
scrape_configs:
  - job_name: rbee
    static_configs: [{ targets: ["127.0.0.1:8500"] }]
\`\`\`

| name | type | unit | labels | what it is |
|---|---|---|---|---|
${rows.join("\n")}

\`key\` is a key's name ([people](sharing.md#a-key-for-each-person)), \`local\` or \`admin\`; more than 256 of them are \`other\`. \`model\` is the canonical reference of a model that has answered; more than 256 of them, and references that never gave
a token, are \`other\`.
`

it("the page on metrics lists what the code exports", async () => {
  await expect(page).toMatchFileSnapshot("../../docs/metrics.md")
})
