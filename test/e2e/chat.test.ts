/** A chat as a user has it: lines go in, answers come out, whoever dies meanwhile. */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { paced, strike } from "../support/faults.ts"
import type { Machine, Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines(afterAll)
let on: Machine
beforeAll(async () => {
  on = await machine({ env: paced })
})

interface Message {
  readonly role: string
  readonly content: string
}
interface Answer {
  readonly choices: ReadonlyArray<{ readonly message: Message }>
  readonly usage: { readonly prompt_tokens: number }
}
interface Job {
  readonly created_at: number
  readonly state: string
  readonly usage?: { readonly prompt_tokens: number }
}

const chat = (...flags: ReadonlyArray<string>): Running =>
  on.start(["chat", "minillama", "--temperature", "0", ...flags], { stdinGoesOn: true })
const type = (run: Running, line: string) => run.process.stdin?.write(`${line}\n`)
const ends = (run: Running) => run.stderr().match(/^bee-keeper: \d+ tokens?, [\d.]+ tokens\/s$/gm)?.length ?? 0
/** Types a message, and waits until its answer is whole. */
const ask = async (run: Running, line: string) => {
  const before = ends(run)
  type(run, line)
  await run.until((seen) => ends(seen) > before)
}
const keptIn = (file: string) =>
  (JSON.parse(readFileSync(file, "utf8")) as { readonly messages: ReadonlyArray<Message> }).messages

/** The same question by another way, without a disturbance. */
const asked = async (messages: ReadonlyArray<Message>): Promise<Answer> => {
  const body = JSON.stringify({ model: "minillama", temperature: 0, messages })
  const answer = await on.fetch(`${on.queenUrl}/v1/chat/completions`, { method: "POST", body })
  return (await answer.json()) as Answer
}
const jobs = async () => {
  const all = JSON.parse((await on.rbee(["jobs", "ls", "--json"])).stdout) as ReadonlyArray<Job>
  return all.toSorted((a, b) => a.created_at - b.created_at)
}

describe("a chat", () => {
  it("asks each question with all that was said, keeps it in a file, and goes on from there", async () => {
    const file = join(on.home, "kept.json")
    const run = chat("--system", "Be brief.")
    await ask(run, "hello")
    await ask(run, '"""What is\na queen?"""')
    await ask(run, "hello")
    type(run, `/save ${file}`)
    await run.until((seen) => seen.stderr().includes("saved as"))
    type(run, "/image cat.png")
    type(run, "/bye")
    const { code, stderr, stdout } = await run.finished
    assert.strictEqual(code, 0, stderr)
    assert.include(stderr, "/image is not served")

    const messages = keptIn(file)
    assert.deepEqual(
      messages.map(({ role }) => role),
      ["system", "user", "assistant", "user", "assistant", "user", "assistant"]
    )
    assert.strictEqual(messages[3]?.content, "What is\na queen?")
    const answers = messages.filter(({ role }) => role === "assistant").map(({ content }) => content)
    assert.strictEqual(stdout, answers.map((answer) => `${answer}\n`).join(""))
    const second = await asked(messages.slice(0, 4))
    const third = await asked(messages.slice(0, 6))
    assert.deepEqual(
      [second, third].map(({ choices }) => choices[0]?.message.content),
      answers.slice(1)
    )
    const [, ofSecond, ofThird] = (await jobs()).map(({ usage }) => usage?.prompt_tokens)
    assert.deepEqual([ofSecond, ofThird], [second.usage.prompt_tokens, third.usage.prompt_tokens])

    const next = chat()
    type(next, `/load ${file}`)
    await next.until((seen) => seen.stderr().includes("6 messages, with minillama"))
    await ask(next, "hello")
    type(next, `/save ${file}`)
    next.process.stdin?.end()
    assert.strictEqual((await next.finished).code, 0)
    assert.deepEqual(keptIn(file).slice(0, 7), messages)
  })

  it("stops an answer at Ctrl-C, cancels its job, and answers what is asked next", async () => {
    const file = join(on.home, "stopped.json")
    const run = chat()
    type(run, "tell me a story")
    await run.until((seen) => seen.stdout().length > 20)
    run.signal("SIGINT")
    await run.until((seen) => seen.stderr().includes("bee-keeper: cancelled"))
    assert.strictEqual((await jobs()).at(-1)?.state, "cancelled")
    await ask(run, "hello")
    type(run, `/save ${file}`)
    type(run, "/bye")
    const { code, stderr, stdout } = await run.finished
    assert.strictEqual(code, 0, stderr)
    // what was said until then belongs to it
    const [, stopped, , whole] = keptIn(file).map(({ content }) => content)
    assert.strictEqual(stdout, `${stopped}\n${whole}\n`)
    assert.strictEqual((await jobs()).at(-1)?.state, "done")
  })

  it("goes on as if nothing were when the worker is killed in the middle of an answer", async () => {
    const file = join(on.home, "struck.json")
    const run = chat("--max-tokens", "200")
    type(run, "tell me a story")
    await run.until((seen) => seen.stdout().length > 20)
    assert.lengthOf(await strike(on, "worker", "SIGKILL"), 1)
    await run.until((seen) => ends(seen) === 1)
    type(run, `/save ${file}`)
    run.process.stdin?.end()
    const { code, stderr, stdout } = await run.finished
    assert.strictEqual(code, 0, stderr)
    const [question = { role: "", content: "" }, struck] = keptIn(file)
    assert.strictEqual((await asked([question])).choices[0]?.message.content, struck?.content)
    assert.strictEqual(stdout, `${struck?.content}\n`)
    assert.match(stderr, /^bee-keeper: \d+ tokens/m)
  })

  it("asks once where a prompt is given, and ends with 1 where an answer that was piped in failed", async () => {
    const once = await on.rbee(["run", "minillama", "hello", "--temperature", "0"])
    assert.deepEqual([once.code, once.stderr], [0, ""])
    assert.match(once.stdout, /^Hello! I am minillama/)
    const failed = await on.rbee(["run", "HF:a/b:Q4"], { stdin: "hello\n", env: { HF_HUB_OFFLINE: "1" } })
    assert.strictEqual(failed.code, 1)
    assert.include(failed.stderr, "job failed")
    const broken = join(on.home, "broken.json")
    writeFileSync(broken, "{")
    const refused = await on.rbee(["chat"], { stdin: `/load ${broken}\n/load ${broken}.not\n/model a b/c\n` })
    assert.strictEqual(refused.code, 0)
    assert.include(refused.stderr, "is no conversation: it is no JSON")
    assert.include(refused.stderr, "cannot be read")
    assert.include(refused.stderr, "Accepted: minillama")
  })

  it.runIf(existsSync("/usr/bin/script"))(
    "asks on a terminal, brings back what was typed with the arrow, and ends at Ctrl-C twice",
    () => {
      const env = {
        ...on.env,
        TERM: "xterm",
        NODE: process.execPath,
        RBEE: fileURLToPath(new URL("../../dist/rbee.js", import.meta.url))
      }
      // keys: a message, the same by the arrow once it is answered, then Ctrl-C twice
      const answered = (times: number) => `until [ $(grep -c tokens/s seen) -ge ${times} ]; do sleep 0.1; done`
      const keys = `(printf 'hello\\r'; ${answered(1)}; printf '\\033[A\\r'; ${answered(2)}; printf '\\003'; until grep -q again seen; do sleep 0.1; done; printf '\\003'; until grep -q ended seen; do sleep 0.1; done)`
      const command = `${keys} | script -qefc '"$NODE" "$RBEE" run minillama --temperature 0; echo ended with $?' seen`
      const seen = execFileSync("bash", ["-c", `touch seen; ${command}`], {
        cwd: on.home,
        env,
        encoding: "utf8",
        timeout: 40_000
      })
      assert.include(seen, ">>> ")
      assert.include(seen, "Hello! I am minillama")
      assert.include(seen, "ended with 130")
      assert.lengthOf(seen.match(/Hello! I am minillama/g) ?? [], 2)
    }
  )
})
