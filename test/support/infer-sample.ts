/** The main job, and what one does with models, in a few runs: of this checkout's programs, and of those that npm installed. */
import { join } from "node:path"
import { assert, it, onTestFinished } from "vitest"
import { paced, story, strike, told } from "./faults.ts"
import { testHub } from "./hub.ts"
import { eventually, type Machine, type RunOptions } from "./machine.ts"
import { patience } from "./patience.ts"

const greedy = ["--temperature", "0"]

/** `made`: a machine with the programs in question. */
export const inferSample = (made: (env?: Record<string, string>) => Promise<Machine>): void => {
  it("gives the same text streamed and at once, the same for one seed, another for another", async () => {
    const on = await made()
    const story = ["infer", "tell me a story", "--temperature", "0.8", "--max-tokens", "60"]
    const [a, b, c] = [
      await on.rbee([...story, "--seed", "1"]),
      await on.rbee([...story, "--seed", "1", "--no-stream"]),
      await on.rbee([...story, "--seed", "2"])
    ]
    assert.strictEqual(a.code, 0, a.stderr)
    assert.strictEqual(a.stdout, b.stdout)
    assert.notStrictEqual(a.stdout, c.stdout)
  })

  it("prints tokens alone with --quiet, and one object a line with --json", async () => {
    const on = await made()
    const quiet = await on.rbee(["infer", "hello", "--quiet", ...greedy])
    assert.strictEqual(quiet.code, 0)
    assert.strictEqual(quiet.stderr, "")
    assert.match(quiet.stdout, /^Hello!/)

    const json = await on.rbee(["infer", "hello", "--json", ...greedy])
    const events = json.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.isAbove(events.length, 10)
    assert.include(json.stdout, "worker finished inference")
    assert.notInclude(json.stdout, "\u001b")
  })

  it("cancels on Ctrl-C while loading and while streaming, exit 130, slot freed", async () => {
    const on = await made({ RBEE_WORKER_MAX_TOKENS_PER_S: "40" })
    const loading = on.start(["infer", "tell me a story", "--ignore-eos"])
    await loading.until((run) => run.stderr().includes("waking worker on"))
    loading.signal("SIGINT")
    assert.strictEqual((await loading.finished).code, 130)

    const streaming = on.start(["infer", "tell me a story", "--ignore-eos", "--max-tokens", "400"])
    await streaming.until((run) => run.stdout().length > 10)
    const before = Date.now()
    streaming.signal("SIGINT")
    const done = await streaming.finished
    assert.strictEqual(done.code, 130, done.stderr)
    assert.isBelow(Date.now() - before, patience(5000))
    assert.include(done.stderr, "bee-keeper: cancelled")
    const workers = async () =>
      JSON.parse((await on.rbee(["workers", "ls", "--json"])).stdout) as Array<{ busy: number }>
    await eventually(async () => (await workers()).every(({ busy }) => busy === 0), "the slot is free")
  })

  it("pulls a model, talks with it, tells what is loaded, unloads it, and goes down whole", async () => {
    const hub = await testHub()
    onTestFinished(() => hub.close())
    const on = await made({ HF_ENDPOINT: hub.url })
    on.env["HF_HOME"] = join(on.home, "hf")
    const run = async (args: ReadonlyArray<string>, options: RunOptions = {}) => {
      const done = await on.rbee(args, options)
      assert.strictEqual(done.code, 0, `${args.join(" ")}: ${done.stderr}`)
      return done.stdout
    }
    const model = "HF:acme/tiny:Q8_0"
    assert.include(await run(["pull", model]), `model ${model} is on hive localhost`)
    assert.include(await run(["list"]), model)
    const talk = await run(["chat", model, ...greedy], { stdin: "hello\nWhat is a queen?\n" })
    assert.match(talk, /^Hello! I am minillama.*\n.*queen/)
    assert.match(await run(["ps"]), new RegExp(`localhost +cpu +idle +${model} `))
    assert.strictEqual(await run(["stop", model]), `model ${model} unloaded\n`)
    assert.notInclude(await run(["ps"]), model)
    await run(["down"])
    assert.strictEqual((await on.rbee(["status"])).code, 3)
    await eventually(
      () => on.processes().length === 0,
      () => JSON.stringify(on.processes())
    )
  })

  it("goes on with the same text where its worker is killed in the middle", async () => {
    const on = await made(paced)
    const undisturbed = (await on.rbee(story)).stdout
    assert.isAbove(undisturbed.length, 200)
    const struck = on.start(story)
    await struck.until(told(40))
    assert.lengthOf(await strike(on, "worker", "SIGKILL"), 1)
    const done = await struck.finished
    assert.strictEqual(done.code, 0, done.stderr)
    assert.strictEqual(done.stdout, undisturbed)
  })
}
