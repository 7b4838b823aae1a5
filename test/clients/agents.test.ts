/** Coding agents, set up as docs/clients.md says: they read a file, run a command, and tell what they found. */
import { join } from "node:path"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { JobView } from "../../src/machines/vocabulary/job.ts"
import { isWhole } from "../support/proof.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { type ScriptedCluster, useScripted } from "../support/scripted/cluster.ts"
import { areInstalled, type Home, makeHome, shell } from "./programs.ts"
import { recipe, write } from "./recipes.ts"

const scripted = useScripted()

interface Agent {
  /** its files, as the page has them */
  readonly set?: (home: Home, cluster: ScriptedCluster) => void
  readonly line: (cluster: ScriptedCluster) => string
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** how it is told what to read and to run */
  readonly reads: (file: string) => string
  readonly runs: (command: string) => string
}

const agents: Readonly<Record<string, Agent>> = {
  "Claude Code": {
    line: (cluster) => recipe("sh", "claude", cluster),
    args: ["--allowedTools", "Read,Bash", "-p"],
    env: { DISABLE_TELEMETRY: "1", DISABLE_AUTOUPDATER: "1", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" },
    reads: (file) => `Read ${JSON.stringify({ file_path: file })}`,
    runs: (command) => `Bash ${JSON.stringify({ command, description: "prints" })}`
  },
  Codex: {
    set: ({ home }, cluster) => write(join(home, ".codex", "config.toml"), recipe("toml", "codex", cluster)),
    line: (cluster) => recipe("sh", "codex", cluster),
    args: ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"],
    reads: (file) => `exec_command ${JSON.stringify({ cmd: `cat ${file}` })}`,
    runs: (command) => `exec_command ${JSON.stringify({ cmd: command })}`
  },
  opencode: {
    set: ({ project }, cluster) => write(join(project, "opencode.json"), recipe("json", "opencode", cluster)),
    line: (cluster) => recipe("sh", "opencode", cluster),
    args: ["run"],
    env: { OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1" },
    reads: (file) => `read ${JSON.stringify({ filePath: file })}`,
    runs: (command) => `bash ${JSON.stringify({ command, description: "prints" })}`
  },
  Continue: {
    set: ({ home }, cluster) => write(join(home, ".continue", "config.yaml"), recipe("yaml", "continue", cluster)),
    line: () => "cn",
    args: ["--auto", "-p"],
    env: { CONTINUE_TELEMETRY_ENABLED: "0" },
    reads: (file) => `Read ${JSON.stringify({ filepath: file })}`,
    runs: (command) => `Bash ${JSON.stringify({ command })}`
  }
}

const secret = "the honey is in the third box"

const asked = (agent: Agent, file: string): string =>
  [
    "say: Let me look.",
    `call: ${agent.reads(file)}`,
    "---",
    `call: ${agent.runs("echo $((40 + 2)) flowers")}`,
    "---",
    "say: I found {{results}} and no more."
  ].join("\n")

const run = (agent: Agent, cluster: ScriptedCluster) => {
  const home = makeHome()
  const file = join(home.project, "note.txt")
  write(file, secret)
  agent.set?.(home, cluster)
  return shell(home, agent.line(cluster), [...agent.args, asked(agent, file)], agent.env)
}

const decodeJobs = Schema.decodeUnknownSync(Schema.Array(JobView))
const jobsOf = async (machine: Machine) => decodeJobs(await (await machine.fetch(`${machine.queenUrl}/jobs`)).json())

describe.runIf(isWhole && areInstalled)("a coding agent", () => {
  it.each(Object.entries(agents))("%s reads a file and runs a command", { timeout: 180_000 }, async (_, agent) => {
    const ran = await run(agent, await scripted())
    const told = `${ran.stdout}\n${ran.stderr}`
    assert.strictEqual(ran.code, 0, told)
    assert.match(ran.stdout, /I found[^]*the honey is in the third box[^]*42 flowers[^]*and no more/, told)
  })

  it("notices nothing of a worker that is killed in the middle of a call", { timeout: 180_000 }, async () => {
    const cluster = await scripted({ RBEE_WORKER_MAX_TOKENS_PER_S: "10" })
    const [agent] = Object.values(agents)
    if (agent === undefined) throw new Error("no agent")
    const running = run(agent, cluster)
    const { machine } = cluster
    const tokens = async () => Math.max(0, ...(await jobsOf(machine)).map((job) => job.tokens))
    await eventually(async () => (await tokens()) > 8, "an answer is on its way", 60_000)
    for (const { pid, role } of machine.processes()) if (role === "worker") process.kill(pid, "SIGKILL")
    const ran = await running
    assert.match(ran.stdout, /I found[^]*the honey is in the third box[^]*42 flowers[^]*and no more/, ran.stderr)
    const jobs = await jobsOf(machine)
    assert.isAbove(Math.max(...jobs.map(({ failovers }) => failovers)), 0)
  })
})
