/** What the real commands print with `--json` is what docs/schemas says of it, and nothing besides. */
import { Ajv } from "ajv"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { testHub } from "../../support/hub.ts"
import type { Machine } from "../../support/machine.ts"
import { useMachines } from "../../support/machines.ts"
import { patience } from "../../support/patience.ts"
import { jsonSchemaOf, outputs } from "../../docs/outputs.ts"

const machine = useMachines(afterAll)
const ajv = new Ajv({ allErrors: true, strict: false })
const seen = new Set<string>()

/** Printed by `rbee COMMAND ARGS --json`, and held to its schema; gives the documents. */
const printed = async (on: Machine, command: string, code = 0, args: ReadonlyArray<string> = []) => {
  const run = await on.rbee([...command.split(" "), ...args, "--json"])
  expect(run.code, `${command}: ${run.stderr}`).toBe(code)
  const found: ReadonlyArray<unknown> =
    outputs[command]?.form === "lines"
      ? run.stdout
          .trim()
          .split("\n")
          .map((line): unknown => JSON.parse(line))
      : [JSON.parse(run.stdout)]
  const isHeld = ajv.compile(jsonSchemaOf(command, true))
  for (const one of found)
    expect(isHeld(one), `${command}: ${JSON.stringify(one)}: ${ajv.errorsText(isHeld.errors)}`).toBe(true)
  seen.add(command)
  return found
}

let awake: Machine
beforeAll(async () => {
  awake = await machine()
}, patience(60_000))

it(
  "of a cluster that is asleep",
  async () => {
    const asleep = await machine()
    for (const command of [
      "status",
      "queen status",
      "hives status",
      "hives ls",
      "ps",
      "list",
      "jobs ls",
      "plan",
      "models gc"
    ])
      await printed(asleep, command, 3, command === "models gc" ? ["--max-mb", "1"] : [])
    await printed(asleep, "hives show", 3, ["localhost"])
    await printed(asleep, "doctor")
    await printed(asleep, "hives discover")
    await printed(asleep, "engines ls")
    for (const engine of ["llama", "llama-server"]) await printed(asleep, "engines show", 0, [engine])
  },
  patience(60_000)
)

it(
  "of an answer, its job, and what runs behind it",
  async () => {
    const lines = await printed(awake, "infer", 0, ["--max-tokens", "4", "hello"])
    const events = new Set(lines.map((line) => (line as { readonly event: string }).event))
    expect(events).toEqual(new Set(["narration", "state", "token", "done", ...events]))
    const [jobs] = await printed(awake, "jobs ls")
    const [{ job_id }] = jobs as readonly [{ readonly job_id: string }]
    await printed(awake, "jobs show", 0, [job_id])
    for (const command of [
      "status",
      "queen status",
      "hives status",
      "hives ls",
      "workers ls",
      "ps",
      "models ls",
      "list",
      "plan"
    ])
      await printed(awake, command)
    await printed(awake, "hives show", 0, ["localhost"])
    await printed(awake, "models show", 0, ["minillama"])
    await printed(awake, "models gc", 0, ["--max-mb", "100000", "--dry-run"])
    await printed(awake, "doctor")
  },
  patience(60_000)
)

it(
  "of a person's key, its usage, and what operators did",
  async () => {
    await printed(awake, "keys add", 0, ["ada", "--tokens-per-day", "1000", "--expires", "30d"])
    for (const command of ["keys ls", "keys usage", "audit"]) await printed(awake, command)
    await printed(awake, "keys revoke", 0, ["ada"])
    await printed(awake, "keys ls")
  },
  patience(60_000)
)

it(
  "of a download, and of one that fails",
  async () => {
    await printed(awake, "pull", 0, ["minillama"])
    await printed(awake, "models pull", 0, ["minillama"])
  },
  patience(60_000)
)

it(
  "of a template",
  async () => {
    const file = join(awake.home, "chat.jinja")
    writeFileSync(file, "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}")
    await printed(awake, "models dialect", 0, [file])
  },
  patience(60_000)
)

it(
  "of what is searched, found, would fit, and has a name of one's own",
  async () => {
    const hub = await testHub()
    try {
      awake.env["HF_ENDPOINT"] = hub.url
      await printed(awake, "models search", 0, ["acme"])
      await printed(awake, "models scan", 0, [hub.folder])
      await printed(awake, "models fit", 0, ["minillama"])
      await awake.rbee(["models", "set", "coder", "ref=minillama", "stop=x", "kv_type=q8_0", "hive=attic", "--default"])
      await printed(awake, "models entries")
      // what is kept loaded
      await awake.rbee(["models", "set", "coder", "keep_loaded=true"])
      await printed(awake, "status")
    } finally {
      await hub.close()
    }
  },
  patience(60_000)
)

it("of every command that prints any", () => {
  expect([...seen].toSorted()).toEqual(Object.keys(outputs).toSorted())
})
