/** What people want to do in their first week is found by one link of the README, at a heading that is there. */
import { existsSync } from "node:fs"
import { expect, it } from "vitest"
import { problemOf } from "./grammar.ts"
import { anchors, rowsOf, textOf } from "./pages.ts"
import { callsIn } from "./shell.ts"

const week = rowsOf(textOf("docs/tasks.md"))
  .filter(([to = ""]) => to !== "to")
  .map(([to = "", typed = "", held = ""]) => ({ to, typed, held }))

it.each(week)("$to: the command is one that rbee takes, and the test is there", async ({ held, typed }) => {
  const calls = [...typed.matchAll(/`(rbee [^`]*)`/g)].flatMap(([, command = ""]) => callsIn(command))
  for (const words of calls) expect([words, await problemOf(words)]).toEqual([words, undefined])
  const [, file = "", name = ""] = /^`([^`]+)`: (.+)$/.exec(held) ?? []
  expect(existsSync(file), file).toBe(true)
  expect(
    textOf(file)
      .replaceAll("`", "")
      .includes(`"${name.replaceAll("`", "")}"`),
    name
  ).toBe(true)
})

it("what the first week is made of has a command or a page each", () => {
  expect(week.length).toBeGreaterThan(25)
  expect(week.filter(({ typed }) => !/`rbee |`npm |\]\(/.test(typed))).toEqual([])
})

const readme = textOf("README.md")

const tasks: ReadonlyArray<readonly [task: string, place: string]> = [
  ["install it and get an answer of a real model", "docs/quickstart.md#a-real-model"],
  ["know which model to take", "docs/models.md#which-one-to-take"],
  ["search models on the hub", "docs/models.md#find-one-that-fits"],
  ["see what of a model fits which of one's devices", "docs/models.md#find-one-that-fits"],
  ["chat in the terminal", "docs/chat.md"],
  ["chat in the browser", "docs/chat-page.md"],
  ["pull a model, interrupt that, and go on", "docs/models.md#fetch-load-unload-remove"],
  [
    "a default model, and an alias with its own context, temperature and system prompt",
    "docs/models.md#a-default-and-names-of-your-own"
  ],
  ["use what Ollama, LM Studio or the Hugging Face cache have", "docs/models.md#what-other-programs-have"],
  ["write a model's name as one is used to", "docs/models.md#names"],
  ["see what is loaded, where, and how much memory it takes", "docs/monitoring.md#in-the-terminal"],
  ["keep a model loaded, unload one now", "docs/models.md#fetch-load-unload-remove"],
  ["add another machine over ssh", "docs/machines.md"],
  ["be shown machines that could be added", "docs/machines.md#what-could-be-added"],
  ["let a machine sleep, and have it woken by a request", "docs/machines.md#machines-that-sleep"],
  ["a model over two cards, over two machines, a picture", "docs/faq.md#what-is-not-there-yet"],
  ["read why a model went where it went", "docs/placement.md"],
  ["Codex", "docs/clients.md#codex"],
  ["Claude Code", "docs/clients.md#claude-code"],
  ["opencode", "docs/clients.md#opencode"],
  ["Continue, Zed", "docs/clients.md#continue"],
  ["completion in the middle of a line", "docs/clients.md#completion-in-the-middle-of-a-line"],
  ["embeddings, reranking", "docs/clients.md#embeddings-and-reranking"],
  ["an answer by a JSON schema", "docs/clients.md#openai"],
  ["an app that only speaks Ollama", "docs/clients.md#ollamas"],
  ["an app in a browser", "docs/sharing.md#a-browser"],
  ["an endpoint that is always there, from boot", "docs/at-boot.md#as-a-service"],
  ["several agents with long prompts at once", "docs/placement.md#having-it-your-way"],
  ["an answer that survives a machine", "docs/design.md#what-an-answer-is-after-a-failover"],
  ["the TypeScript library", "docs/library.md"],
  ["a key for each person, limits, usage", "docs/sharing.md#a-key-for-each-person"],
  ["TLS", "docs/sharing.md#tls-and-the-internet"],
  ["Prometheus, and a board for Grafana", "docs/monitoring.md#prometheus-and-grafana"],
  ["Docker or compose", "docs/quickstart.md#in-a-container"],
  ["upgrade the cluster", "docs/upgrade.md"],
  ["back up and restore", "docs/backup.md"],
  ["find out what is wrong", "docs/troubleshooting.md"],
  ["remove all of it", "docs/uninstall.md"],
  ["come from Ollama", "docs/faq.md#coming-from-ollama"]
]

it.each(tasks)("%s: one link away", (_, place) => {
  const [page = "", anchor] = place.split("#")
  expect(readme).toMatch(new RegExp(`\\]\\(${page.replaceAll(".", "\\.")}(?:#[\\w-]+)?\\)`))
  if (anchor !== undefined) expect(anchors(textOf(page))).toContain(anchor)
})
