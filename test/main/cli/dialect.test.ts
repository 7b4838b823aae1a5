/** `rbee models dialect`, through the real bundle. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { templates } from "../../support/dialects.ts"
import { tiny } from "../../support/gguf.ts"
import { useMachines } from "../../support/machines.ts"

const machine = useMachines()

it("tells how a template's model writes, and how often that came back exactly", async () => {
  const on = await machine()
  const file = join(on.home, "chat.jinja")
  writeFileSync(file, templates["an element an argument"])
  const run = await on.rbee(["models", "dialect", file, "--json"])
  expect(run).toMatchObject({ code: 0, stderr: "" })
  const { reasoning, round_trip, tools } = JSON.parse(run.stdout)
  expect(tools).toMatchObject({
    open: ["<tool_call>\n<function="],
    form: { _tag: "elements" },
    parallel: true,
    lossy: []
  })
  expect(reasoning).toMatchObject({ open: "<think>", close: "</think>", confirmed: "render" })
  expect(round_trip).toMatchObject({ tried: 300, exact: 300, kinds: { two: { tried: 50, exact: 50 } }, impossible: [] })
  const told = await on.rbee(["models", "dialect", file])
  expect(told.stdout).toContain("300 of 300 exact")
  expect(on.processes()).toEqual([])
})

it("says what a model's file is without, and refuses what is no template", async () => {
  const on = await machine()
  const bundled = await on.rbee([
    "models",
    "dialect",
    join(process.cwd(), "models/minillama/minillama-q8_0.gguf"),
    "--json"
  ])
  expect(JSON.parse(bundled.stdout)).toMatchObject({ tools: null, why: "the template shows no calls", reasoning: null })
  const broken = join(on.home, "broken.jinja")
  writeFileSync(broken, "{% for x in %}")
  for (const file of [broken, join(on.home, "missing.gguf")]) {
    const run = await on.rbee(["models", "dialect", file])
    expect(run).toMatchObject({ code: 1, stdout: "" })
    expect(run.stderr).toContain("cannot be read as a chat template")
  }
})

it("is shown of a model that was never loaded, and the same once a worker has learned it", async () => {
  const on = await machine()
  const ref = `file:${await tiny({ chat: templates["keys and values"] })}`
  const shown = async () => {
    const run = await on.rbee(["models", "show", ref, "--json"])
    expect(run).toMatchObject({ code: 0, stderr: "" })
    return JSON.parse(run.stdout)[0].dialect
  }
  expect((await on.rbee(["models", "pull", ref])).code).toBe(0)
  const before = await shown()
  expect(before).toMatchObject({
    tools: { form: { _tag: "elements" } },
    reasoning: { open: "<think>" },
    roles: ["system", "user", "assistant", "tool"]
  })
  const told = await on.rbee(["models", "show", ref])
  expect(told.stdout).toMatch(/^tools: +an element for each argument after "<tool_call>/m)
  expect(told.stdout).toMatch(/^reasoning: +<think> … <\/think>/m)
  expect(told.stdout).toMatch(/^roles: +system, user, assistant, tool$/m)
  expect((await on.rbee(["infer", "hello", "--model", ref, "--max-tokens", "1"])).code).toBe(0)
  expect(await shown()).toEqual(before)
  // those that learned are gone
  expect(on.processes().filter(({ role }) => role === "other")).toEqual([])
})

it("says of a template that does not end that it could not be learned, and leaves no process", async () => {
  const on = await machine()
  const file = join(on.home, "endless.jinja")
  writeFileSync(file, "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}{{ messages }}")
  const run = await on.rbee(["models", "dialect", file, "--json"])
  expect(JSON.parse(run.stdout)).toMatchObject({ tools: null, reasoning: null, round_trip: { tried: 0 } })
  expect(JSON.parse(run.stdout).why).toContain("could not be learned: 20 s are over")
  expect(on.processes()).toEqual([])
}, 60_000)
