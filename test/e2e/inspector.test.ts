/** The inspector in a real Chromium, on real processes. Skipped, and said so, where there is no Chromium. */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Browser, Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { planOf } from "../../src/simulator/run/plan.ts"
import { chromiumPath, launch, visit } from "../support/browser.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const simulator = fileURLToPath(new URL("../../dist/simulate.mjs", import.meta.url))

const boundMs = 20_000
const long = ["--ignore-eos", "--max-tokens", "900", "--temperature", "0", "--quiet", "tell me a story"]
const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "60" }

const openOn = async (browser: Browser, on: Machine, hash = "") => {
  const visited = await visit(browser, on.queenUrl)
  visited.page.setDefaultTimeout(boundMs)
  // as a person: the address with the hash behind the link that `rbee inspect` prints
  const link = (await on.rbee(["inspect", "--print"])).stdout.trim()
  await visited.page.goto(`${link}${hash}`)
  await visited.page.waitForSelector("[data-connection=live]")
  return visited
}

/** All values that an attribute of an element takes, in order, from now on. A text: it runs in the page, not here. */
const follow = (page: Page, selector: string, attribute: string) =>
  page.evaluate(`{
    const seen = (window.seen = [])
    const look = () => {
      const value = document.querySelector(${JSON.stringify(selector)})?.getAttribute(${JSON.stringify(attribute)})
      if (typeof value === "string" && seen.at(-1) !== value) seen.push(value)
    }
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true })
    look()
  }`)
const followed = (page: Page) => page.evaluate<ReadonlyArray<string>>("window.seen")

const tokensOf = async (page: Page): Promise<number> => Number(await page.textContent(".lane .tokens"))
const workerRow = "[data-actor*='|hive/workers/w-']"

describe.skipIf(chromiumPath === undefined)("the inspector", () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  it("shows a cold answer as it comes about: the states in their order, then the tokens", async () => {
    const on = await machine({ env: paced })
    await on.rbee(["queen", "start"])
    const { complaints, page } = await openOn(browser, on, "#view=timeline")
    await follow(page, ".lane", "data-state")
    const run = on.start(["infer", ...long])
    await page.waitForSelector(".lane[data-state=streaming]")
    const order = ["queued", "placing", "provisioning", "starting", "streaming"]
    // what passes between two drawings may be missed, never turned round
    const seen = await followed(page)
    assert.deepEqual(
      [...seen],
      order.filter((state) => seen.includes(state))
    )
    const first = await tokensOf(page)
    await eventually(async () => (await tokensOf(page)) > first + 20, "the token counter does not move", boundMs)
    await page.keyboard.press("1")
    await page.click(workerRow)
    await page.waitForSelector(".chart-state.active[data-state='present.phase.healthy']")
    await page.waitForSelector(".timer b")
    run.signal("SIGINT")
    await run.finished
    await page.keyboard.press("2")
    await page.waitForSelector(".lane[data-state=cancelled]")
    assert.deepEqual(complaints(), [])
  })

  it("shows a killed worker's restart with its count, and the answer going on", async () => {
    const on = await machine({ env: paced })
    const run = on.start(["infer", ...long])
    await run.until(({ stdout }) => stdout().length > 20)
    const { complaints, page } = await openOn(browser, on)
    await page.waitForSelector(`${workerRow}[data-life=healthy]`)
    const worker = on.processes().find(({ role }) => role === "worker")
    assert.isDefined(worker)
    process.kill(worker.pid, "SIGKILL")
    await page.waitForSelector(`${workerRow} .restarts.hot:text-is("1")`)
    await page.click(workerRow)
    await page.waitForSelector(".history .supervision:has-text('process restarting 1/3')")
    await page.waitForSelector(".scrub .mark.restart")
    await page.keyboard.press("2")
    await page.waitForSelector(".lane-facts em:has-text('1 failover')")
    await page.waitForSelector(".lane[data-state=streaming]")
    await page.click(".lane")
    await page.waitForSelector(".narration li:has-text('worker lost after')")
    run.signal("SIGINT")
    await run.finished
    assert.deepEqual(complaints(), [])
  })

  it("drains a worker when the operator says so, and not before he is sure", async () => {
    const on = await machine()
    await on.rbee(["infer", "--quiet", "hello"])
    const { complaints, page } = await openOn(browser, on)
    await page.click(workerRow)
    await page.click(".action:text-is('drain')")
    await page.click("dialog button:text-is('no')")
    await page.waitForSelector("dialog", { state: "hidden" })
    assert.isTrue(await page.isVisible(`${workerRow}[data-life=healthy]`))
    await page.click(".action:text-is('drain')")
    await page.click("dialog .danger")
    await page.waitForSelector(`${workerRow}[data-life=gone]`)
    await eventually(() => on.processes().every(({ role }) => role !== "worker"), "the worker lives on")
    assert.deepEqual(complaints(), [])
  })

  it("replays what it saved: pauses, steps, jumps to a moment by its link", async () => {
    const on = await machine()
    await on.rbee(["queen", "start"])
    const { complaints, page } = await openOn(browser, on)
    await on.rbee(["infer", "--quiet", "hello"])
    await page.waitForSelector(`${workerRow}[data-life=healthy]`)
    await page.click(workerRow)
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=save")])
    const file = join(on.home, "trace.jsonl")
    await download.saveAs(file)
    const records = readFileSync(file, "utf8").trim().split("\n")

    const run = on.start(["inspect", "--print", file])
    await run.until(({ stdout }) => stdout().includes("/inspect?trace"))
    const address = run.stdout().trim()
    const replay = await visit(browser, new URL(address).origin)
    replay.page.setDefaultTimeout(boundMs)
    await replay.page.goto(address)
    await replay.page.waitForSelector(`.count:text-is("${records.length}/${records.length}")`)
    await replay.page.click("[aria-label='one record back']")
    await replay.page.waitForSelector(`.count:text-is("${records.length - 1}/${records.length}")`)

    // the link of a moment at which the worker was loading shows it loading
    const loading = records
      .map(
        (line) =>
          JSON.parse(line) as {
            readonly kind: string
            readonly at: number
            readonly daemon: string
            readonly path: string
            readonly snapshot?: { readonly tags: ReadonlyArray<string> }
          }
      )
      .find(({ kind, snapshot }) => kind === "snapshot" && snapshot?.tags.includes("loading") === true)
    assert.isDefined(loading)
    const actor = encodeURIComponent(`${loading.daemon}|${loading.path}`)
    await replay.page.goto(`${address}#view=tree&actor=${actor}&at=${loading.at}`)
    await replay.page.waitForSelector(`[data-actor="${loading.daemon}|${loading.path}"][data-life=loading]`)
    await replay.page.selectOption("[aria-label=speed]", "16")
    await replay.page.click("[aria-label=play]")
    await replay.page.waitForSelector(`.count:text-is("${records.length}/${records.length}")`)
    run.signal("SIGINT")
    assert.strictEqual((await run.finished).code, 0)
    assert.deepEqual([...complaints(), ...replay.complaints()], [])
  })

  it("needs the cluster's token where there is one: a link that works once, and nothing without", async () => {
    const token = "0123456789abcdef-secret"
    const on = await machine({ env: { RBEE_TOKEN: token } })
    await on.rbee(["queen", "start"])
    const print = await on.rbee(["inspect", "--print"])
    const address = print.stdout.trim()
    assert.notInclude(address, token)
    const { complaints, page } = await visit(browser, on.queenUrl)
    await page.goto(address)
    await page.waitForSelector("[data-connection=live]")
    assert.strictEqual(page.url().split("#")[0], `${on.queenUrl}/inspect`)
    assert.deepEqual(complaints(), [])
    for (const path of ["/inspect", new URL(address).pathname + new URL(address).search, "/inspect/events", "/jobs"])
      assert.strictEqual((await fetch(`${on.queenUrl}${path}`, { redirect: "manual" })).status, 401, path)
    const [cookie] = await page.context().cookies()
    assert.deepInclude(cookie, { httpOnly: true, sameSite: "Strict" })
    // the browser's session, used by a page of somebody else
    const foreign = await fetch(`${on.queenUrl}/shutdown`, {
      method: "POST",
      headers: { cookie: `${cookie?.name}=${cookie?.value}`, origin: "http://evil.example" }
    })
    assert.strictEqual(foreign.status, 403)
  })

  it("opens one loopback port with --one-process --inspect", async () => {
    const on = await machine({ env: paced })
    const run = on.start(["infer", "--one-process", "--inspect", ...long])
    await run.until(({ stderr }) => /inspector on http:\/\/127\.0\.0\.1:\d+\/inspect/.test(stderr()))
    const address = /http:\S+\/inspect/.exec(run.stderr())?.[0] ?? ""
    const { complaints, page } = await visit(browser, new URL(address).origin)
    await page.goto(address)
    await page.waitForSelector(`${workerRow}[data-life=healthy]`)
    run.signal("SIGINT")
    await run.finished
    assert.deepEqual(
      complaints().filter((text) => !text.includes("ERR_")),
      []
    )
  })

  it("opens the trace of a simulation that broke an invariant at that very moment", async () => {
    const on = await machine()
    const plan = join(on.home, "plan.json")
    const file = join(on.home, "broken.jsonl")
    // the canary: every write to a reader comes twice, which no invariant lets pass
    writeFileSync(plan, JSON.stringify({ ...planOf(3, { faults: false }), canary: true }))
    const simulated = spawnSync(process.execPath, [simulator, "--plan", plan, "--trace", file])
    assert.strictEqual(simulated.status, 1, String(simulated.stderr))
    const run = on.start(["inspect", "--print", file])
    await run.until(({ stdout }) => stdout().includes("/inspect?trace"))
    const address = run.stdout().trim()
    const { complaints, page } = await visit(browser, new URL(address).origin)
    page.setDefaultTimeout(boundMs)
    await page.goto(address)
    await page.waitForSelector(".chip:has-text('simulation, seed 3')")
    const records = readFileSync(file, "utf8").trim().split("\n")
    const at = records.findIndex((line) => line.includes('"kind":"violation"')) + 1
    await page.waitForSelector(`.count:text-is("${at}/${records.length}")`)
    assert.match((await page.textContent(".violation")) ?? "", /token indexes|one text|ids grow|one terminal/)
    // the job whose reader saw it twice is there, in its place under the queen of the simulation
    await page.waitForSelector("[data-actor*='|queen/jobs/job-']")
    await page.click("[aria-label='one record back']")
    await page.waitForSelector(`.count:text-is("${at - 1}/${records.length}")`)
    await page.click(".violation button")
    await page.waitForSelector(`.count:text-is("${at}/${records.length}")`)
    run.signal("SIGINT")
    await run.finished
    assert.deepEqual(complaints(), [])
  })

  it("stays fluent with 100 hives and 500 actors, and takes the keyboard", async () => {
    const on = await machine()
    const file = join(on.home, "large.jsonl")
    writeFileSync(file, large(100))
    const run = on.start(["inspect", "--print", file])
    await run.until(({ stdout }) => stdout().includes("/inspect?trace"))
    const address = run.stdout().trim()
    const { complaints, page } = await visit(browser, new URL(address).origin)
    page.setDefaultTimeout(boundMs)
    await page.goto(address)
    await page.waitForSelector("[data-actor='hive-h99|hive/workers/w0']", { state: "attached" })
    assert.isAtLeast(await page.locator(".row").count(), 500)
    await page.focus(".tree")
    for (let n = 0; n < 5; n++) await page.keyboard.press("ArrowDown")
    await page.waitForSelector("[aria-selected=true]")
    await page.keyboard.press("3")
    await page.waitForSelector("[data-hive=h99]", { state: "attached" })
    // it opened at the violation; from the end the alert leads there again
    await page.waitForSelector(".violation:has-text('nothing left') >> text=a row of nobody")
    await page.waitForSelector('.count:text-is("704/705")')
    await page.click("[aria-label='one record on']")
    await page.waitForSelector('.count:text-is("705/705")')
    await page.click(".violation button")
    await page.waitForSelector('.count:text-is("704/705")')
    run.signal("SIGINT")
    await run.finished
    assert.deepEqual(complaints(), [])
  })
})

describe("a browser tab that takes nothing any more", () => {
  it("slows nobody and costs the queen a bounded buffer", async () => {
    const on = await machine()
    await on.rbee(["queen", "start"])
    const { hostname, port } = new URL(on.queenUrl)
    const stalled = connect({ host: hostname, port: Number(port) })
    stalled.pause()
    stalled.write(`GET /inspect/events HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`)
    const queen = on.processes().find(({ role }) => role === "queen")
    assert.isDefined(queen)
    const megabytes = () => {
      const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${queen.pid}/status`, "utf8")) ?? []
      return Number(kilobytes) / 1000
    }
    for (let n = 0; n < 3; n++) assert.strictEqual((await on.rbee(["infer", "--quiet", "hello"])).code, 0)
    const jobs = Array.from({ length: 60 }, async () => {
      const body = JSON.stringify({ model: "minillama", prompt: "hello", max_tokens: 1, stream: false })
      const headers = { "content-type": "application/json" }
      const answer = await on.fetch(`${on.queenUrl}/jobs`, { method: "POST", headers, body })
      const { events } = (await answer.json()) as { readonly events: string }
      return (await on.fetch(`${on.queenUrl}${events}`)).text()
    })
    for (const events of await Promise.all(jobs)) assert.include(events, "event: done")
    assert.isBelow(megabytes(), 250)
    stalled.destroy()
  })
})

/** A simulation's trace of `count` hives with two workers each, in the middle of which an invariant broke. */
const large = (count: number): string => {
  const at = 1_700_000_000_000
  const snapshot = {
    status: "active",
    value: { present: { phase: { healthy: "idle" }, pulse: "counting" } },
    tags: ["healthy"]
  }
  const records: Array<object> = [
    { kind: "trace", version: 1, source: "simulation", seed: 7, at },
    { kind: "daemon", at, daemon: "queen", state: "up" },
    { kind: "actor", at, daemon: "queen", path: "queen/hives", started: at, children: [] }
  ]
  for (let n = 0; n < count; n++) {
    const id = `h${n}`
    const daemon = `hive-${id}`
    records.push(
      {
        kind: "actor",
        at,
        daemon: "queen",
        path: `queen/hives/${id}`,
        parent: "queen/hives",
        child: id,
        machine: "hive",
        started: at,
        snapshot: { status: "active", value: { healthy: "beating" }, tags: ["healthy"] }
      },
      { kind: "daemon", at, daemon, state: "up" },
      { kind: "actor", at, daemon, path: "hive", started: at, children: [{ id: "workers", running: true }] },
      { kind: "actor", at, daemon, path: "hive/workers", parent: "hive", child: "workers", started: at, children: [] },
      { kind: "view", at, daemon: "queen", of: "hive", id, view: { id, state: "healthy", workers: 2, models: 1 } }
    )
    for (const w of ["w0", "w1"])
      records.push({
        kind: "actor",
        at,
        daemon,
        path: `hive/workers/${w}`,
        parent: "hive/workers",
        child: w,
        machine: "worker",
        started: at,
        snapshot
      })
  }
  records.push(
    { kind: "violation", at, daemon: "simulator", invariant: "nothing left", message: "a row of nobody" },
    { kind: "fault", at: at + 1, daemon: "simulator", what: "the power comes back" }
  )
  return `${records.map((record) => JSON.stringify(record)).join("\n")}\n`
}
