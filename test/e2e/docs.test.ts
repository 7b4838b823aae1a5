/** Every block of commands in a page runs as it stands there: here, or in the test that is named for it. */
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { assert, expect, it } from "vitest"
import { blocks, pages, textOf } from "../docs/pages.ts"
import type { Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()

/** Blocks that take more than this machine, or all of it, by their first line. */
const elsewhere = new Map([
  ['npm ci && npx rbee infer "hello"', ".ci/run"],
  ["npm test", ".ci/run"],
  ["npm ci ", ".ci/run"],
  ["npm pack ", "test/e2e/installed.test.ts"],
  ["RBEE_TOKEN=$(openssl rand -hex 24) docker compose", "test/e2e/installed.test.ts"],
  ["rbee chat   ", "test/e2e/chat.test.ts"],
  ["rbee hives add gpu-box ", "test/e2e/remote-install.test.ts"],
  ["rbee hives invite attic ", "test/e2e/invite.test.ts"],
  ["npm run simulate ", "test/simulation/simulation.test.ts"]
])
const runs = pages
  .flatMap((page) => blocks(textOf(page), "sh").map((block) => ({ page, block })))
  .filter(({ block }) => ![...elsewhere.keys()].some((start) => block.startsWith(start)))

/** As a user types it, who has `rbee` on the path; the ports are this machine's. */
const bash = (script: string, { env, home, ports }: Machine) => {
  const bin = join(home, "bin")
  mkdirSync(bin)
  writeFileSync(join(bin, "rbee"), `#!/bin/sh\nexec "${process.execPath}" "${resolve("dist/rbee.js")}" "$@"\n`, {
    mode: 0o755
  })
  return new Promise<{ readonly error: Error | null; readonly stdout: string; readonly stderr: string }>((done) => {
    execFile(
      "bash",
      ["-euo", "pipefail", "-c", script.replaceAll(":8500", `:${ports.queen}`)],
      { cwd: home, env: { ...env, PATH: `${bin}:${env["PATH"] ?? ""}` } },
      (error, stdout, stderr) => done({ error, stdout, stderr })
    )
  })
}

it("what is run elsewhere is run by a file that is there, and still stands in a page", () => {
  const all = pages.flatMap((page) => blocks(textOf(page), "sh"))
  for (const [start, file] of elsewhere) {
    assert.isTrue(existsSync(file), file)
    assert.isTrue(
      all.some((block) => block.startsWith(start)),
      start
    )
  }
})

it.each(runs)("the commands of $page run: $block", async ({ block }) => {
  const { error, stderr, stdout } = await bash(block, await machine())
  // a chat's answers are text, all others JSON
  const answer = block.includes("| rbee chat") ? /queen is/ : /"t":"|"content":"/
  expect([error, stderr, stdout]).toEqual([null, expect.any(String), expect.stringMatching(answer)])
})
