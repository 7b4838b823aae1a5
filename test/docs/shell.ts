/**
 * The commands of the pages: every block of `sh`, and what becomes of it. It is run on the machine of test/e2e/docs.test.ts, by
 * another test that is named here, or by nobody, where its first line is `# not run here: REASON`.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pages, textOf } from "./pages.ts"

export interface ShellBlock {
  readonly page: string
  readonly text: string
  readonly fate: { readonly runs: "here" } | { readonly runs: "nowhere"; readonly reason: string } | Elsewhere
}
interface Elsewhere {
  readonly runs: "elsewhere"
  /** the file that runs it */
  readonly by: string
}

/** Blocks that take more than one machine, or all of it, by how their first line begins. */
export const elsewhere: ReadonlyArray<readonly [start: string, by: string]> = [
  ['npm ci && npx rbee infer "hello"', ".ci/run"],
  ["npm test", ".ci/run"],
  ["npm ci # installs and builds", ".ci/run"],
  ["npm ci\nnpx rbee up", "test/e2e/front-door-views.test.ts"],
  ["npm ci # of the clone", "test/e2e/installed.test.ts"],
  ["RBEE_TOKEN=$(openssl rand -hex 24) docker compose", "test/e2e/installed.test.ts"],
  ["rbee chat # ", "test/e2e/chat.test.ts"],
  ["rbee hives add gpu-box", "test/e2e/remote-install.test.ts"],
  ["rbee hives invite attic ", "test/e2e/invite.test.ts"],
  ["npm run simulate ", "test/simulation/simulation.test.ts"]
]
export const beginsWith = (text: string, start: string): boolean => text.replaceAll(/ +/g, " ").startsWith(start)

const fateOf = (text: string, name: string): ShellBlock["fate"] => {
  const reason = /^# not run here: (.+)/.exec(text)?.[1]
  if (reason !== undefined) return { runs: "nowhere", reason }
  // docs/clients.md names its client beside the language
  if (name !== "") return { runs: "elsewhere", by: "test/clients/agents.test.ts" }
  const by = elsewhere.find(([start]) => beginsWith(text, start))?.[1]
  return by === undefined ? { runs: "here" } : { runs: "elsewhere", by }
}

export const shellBlocks: ReadonlyArray<ShellBlock> = pages.flatMap((page) =>
  [...textOf(page).matchAll(/^```sh(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(([, name = "", text = ""]) => ({
    page,
    text,
    fate: fateOf(text, name)
  }))
)

/** First in the PATH: writes down how it was called, a call a record, a word a field; at once, as one may run beside another. */
const recorder = `#!/bin/bash
call="$(printf '%s\\x1f' "$@")"
printf '%s\\x1e' "$call" >> "$CALLS"
`
/** what runs the rest of its line */
const passing = `#!/bin/bash
exec "$@"
`

/**
 * How each `rbee` in a script is called, as bash itself splits the words: everything else is nothing there, so that all lines
 * are come to and nothing is done. A word that only the real machine could tell is empty.
 */
export const callsIn = (script: string): ReadonlyArray<ReadonlyArray<string>> => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-words-"))
  try {
    const calls = join(folder, "calls")
    writeFileSync(join(folder, "rbee"), recorder, { mode: 0o755 })
    for (const name of ["npx", "sudo"]) writeFileSync(join(folder, name), passing, { mode: 0o755 })
    // folders are made, for what is written into them
    const nothing = 'command_not_found_handle() { return 0; }\nkill() { return 0; }\nmkdir() { /bin/mkdir "$@"; }\n'
    const env = { PATH: folder, CALLS: calls, HOME: folder, TERM: "dumb" }
    execFileSync("/bin/bash", ["-c", `${nothing}${script}\nwait`], {
      cwd: folder,
      env,
      stdio: ["ignore", "ignore", "pipe"]
    })
    if (!existsSync(calls)) return []
    return readFileSync(calls, "utf8")
      .split("\u001e")
      .slice(0, -1)
      .map((call) => call.split("\u001f").slice(0, -1))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
