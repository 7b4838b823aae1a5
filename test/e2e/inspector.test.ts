/** The inspector in a real Chromium, on real processes. Skipped, and said so, where there is no Chromium. */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Browser, Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { chromiumPath, launch, type Visit, visit } from "../support/browser.ts"
import { eventually, type Machine, type Running } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { cut, press, sights, unreached, violations } from "../support/page.ts"
import { sampleOf } from "../support/proof.ts"

const simulator = fileURLToPath(new URL("../../dist/simulate.mjs", import.meta.url))

const boundMs = 20_000
const token = "0123456789abcdef-secret"
const long = ["--ignore-eos", "--max-tokens", "900", "--temperature", "0", "--quiet", "tell me a story"]
const short = ["--max-tokens", "8", "--quiet", "hello"]
const paced = { RBEE_WORKER_MAX_TOKENS_PER_S: "60" }

/** All values that an attribute of an element takes, in order, from now on. A text: it runs in the page, not here. */
const follow = (page: Page, selector: string, attribute: string) =>
  page.evaluate(`{
    const seen = (window.seen = [])
    const look = () => {
      const value = document.querySelector(${JSON.stringify(selector)})?.getAttribute(${JSON.stringify(attribute)})
      if (typeof value === "string" && seen.at(-1) !== value) seen.push(value)
    }
    window.looking = new MutationObserver(look)
    window.looking.observe(document.body, { subtree: true, childList: true, attributes: true })
    look()
  }`)
/** Until now. */
const followed = (page: Page) => page.evaluate<ReadonlyArray<string>>("window.looking.disconnect(), window.seen")

const tokensOf = async (page: Page): Promise<number> => Number(await page.textContent(".lane .tokens"))
/** Runs in the page. */
const colour = "(element) => getComputedStyle(element).backgroundColor"
const workerRow = "[data-actor*='|hive/workers/w-']"

/** What is simulated (src/simulator/run/plan.ts): one machine, one answer, no fault. */
const small = {
  seed: 3,
  hives: [{ id: "localhost", ramMb: 8000, gpus: [], awake: true }],
  jobs: [{ id: 0, at: 0, prompt: "hello", teardown: "warm" }],
  faults: [],
  tokens: 5,
  tokensPerS: 50,
  loadMs: 100,
  bootMs: [20, 300],
  latencyMs: [1, 10],
  hub: { breaks: 0, corrupts: 0 },
  healAt: 0,
  end: "down"
}

interface Saved {
  readonly kind: string
  readonly at: number
  readonly daemon: string
  readonly path: string
  readonly context?: string
  readonly snapshot?: { readonly tags: ReadonlyArray<string> }
}

const machine = useMachines(afterAll)
/** One cluster for all of it, which nobody may ask for anything without its token. */
let on: Machine
beforeAll(async () => {
  on = await machine({ env: { ...paced, RBEE_TOKEN: token } })
  assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
})

describe.skipIf(chromiumPath === undefined)("the inspector", () => {
  let browser: Browser
  /** the address that `rbee inspect` prints */
  let printed: string
  /** follows the cluster from the first test on */
  let live: Visit
  let page: Page
  const answers: Array<Running> = []

  beforeAll(async () => {
    const link = on.rbee(["inspect", "--print"])
    browser = await launch()
    printed = (await link).stdout.trim()
    live = await visit(browser, on.queenUrl)
    page = live.page
    page.setDefaultTimeout(boundMs)
    await page.goto(`${printed}#view=timeline`)
    await page.waitForSelector("[data-connection=live]")
  })
  afterAll(() => browser.close())

  const answer = (args: ReadonlyArray<string>, by: Machine = on): Running => {
    const run = by.start(["infer", ...args])
    answers.push(run)
    return run
  }
  const stop = async (run: Running) => {
    run.signal("SIGINT")
    return await run.finished
  }
  afterEach(() => Promise.all(answers.splice(0).map(stop)))

  it("shows a cold answer as it comes about: the states in their order, then the tokens", async () => {
    await follow(page, ".lane", "data-state")
    const run = answer(long)
    await page.waitForSelector(".lane[data-state=streaming]")
    const order = ["queued", "placing", "provisioning", "starting", "streaming"]
    // what passes between two drawings may be missed, never turned round
    const seen = await followed(page)
    assert.deepEqual(
      [...seen],
      order.filter((state) => seen.includes(state))
    )
    // its model and who asked, and no id
    assert.strictEqual(await page.textContent(".lane-name"), "minillama for admin")
    const first = await tokensOf(page)
    await eventually(async () => (await tokensOf(page)) > first + 20, "the token counter does not move", boundMs)
    await page.keyboard.press("1")
    await page.click(workerRow)
    await page.waitForSelector(".chart-state.active[data-state='present.phase.healthy']")
    await page.waitForSelector(".timer b")
    await stop(run)
    await page.keyboard.press("2")
    await page.waitForSelector(".lane[data-state=cancelled]")
    assert.deepEqual(live.complaints(), [])
  })

  it("shows a killed worker's restart with its count, and the answer going on", async () => {
    const run = answer(long)
    await run.until(({ stdout }) => stdout().length > 20)
    await page.keyboard.press("1")
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
    // without tokens it is failing over, whatever is done meanwhile, and looks like that
    const gap = await page.waitForSelector(".lane[data-state=streaming] .bar[title^='failing over: ']")
    assert.include(await gap.getAttribute("title"), "\nplacing ")
    const legend = page.locator(".legend > span", { hasText: "failing over" }).locator("i")
    assert.strictEqual(await gap.evaluate(colour), await legend.evaluate(colour))
    await page.click(".lane")
    await page.waitForSelector(".narration li:has-text('worker lost after')")
    await stop(run)
    assert.deepEqual(live.complaints(), [])
  })

  it("drains a worker when the operator says so, and not before he is sure", async () => {
    await page.keyboard.press("1")
    await page.click(workerRow)
    await page.waitForSelector(".action:text-is('drain')")
    await press(page, ".action")
    assert.deepEqual([...(await violations(page)), ...(await cut(page, ".canvas"))], [])
    assert.deepEqual(await page.locator("dialog button:focus").allInnerTexts(), ["no"])
    await page.keyboard.press("Enter")
    await page.waitForSelector("dialog", { state: "hidden" })
    assert.isTrue(await page.isVisible(`${workerRow}[data-life=healthy]`))
    await page.waitForSelector(".action:focus")
    await page.keyboard.press("Enter")
    await press(page, "dialog .danger")
    await page.waitForSelector(`${workerRow}[data-life=gone]`)
    await eventually(() => on.processes().every(({ role }) => role !== "worker"), "the worker lives on")
    assert.deepEqual(live.complaints(), [])
  })

  it("is closed to who does not show the cluster's token: a link that works once, and nothing without", async () => {
    assert.notInclude(printed, token)
    assert.strictEqual(page.url().split("#")[0], `${on.queenUrl}/inspect`)
    for (const path of ["/inspect", new URL(printed).pathname + new URL(printed).search, "/inspect/events", "/jobs"])
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

  describe("of a recording", () => {
    /** what `live` has seen, of which `rbee inspect FILE` shows whatever the file has when a page is opened */
    let records: ReadonlyArray<Saved>
    let file: string
    let served: Running
    let address: string
    let recorded: Visit
    let replay: Page

    beforeAll(async () => {
      file = join(on.home, "trace.jsonl")
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("text=save")])
      await download.saveAs(file)
      await page.close()
      records = linesOf(file).map((line) => JSON.parse(line) as Saved)
      served = on.start(["inspect", "--print", file])
      await served.until(({ stdout }) => stdout().includes("/inspect?trace"))
      address = served.stdout().trim()
      recorded = await visit(browser, new URL(address).origin)
      replay = recorded.page
      replay.setDefaultTimeout(boundMs)
    })
    afterEach(() => assert.deepEqual(recorded.complaints(), []))
    afterAll(async () => {
      assert.strictEqual((await stop(served)).code, 0)
    })

    /** The file as it is now. */
    const open = async (hash = "") => {
      await replay.setViewportSize({ width: 1366, height: 800 })
      await replay.goto("about:blank")
      await replay.goto(`${address}#${hash}`)
      await replay.waitForSelector("[data-connection=file]")
    }
    const at = (count: number, of = records.length) => replay.waitForSelector(`.count:text-is("${count}/${of}")`)

    /** just before the end of the answer whose worker was killed */
    const busy = () => {
      const actors = records.filter(({ kind }) => kind === "actor")
      const worker = actors.findLast(({ path }) => path.startsWith("hive/workers/w-"))
      const job = actors.findLast(({ path }) => path.startsWith("queen/jobs/job-"))
      const end = records.findLast(({ kind, path }) => kind === "snapshot" && path === job?.path)
      assert.isDefined(worker)
      assert.isDefined(job)
      assert.isDefined(end)
      return { job, moment: end.at - 1, worker }
    }

    it("replays what it saved: pauses, steps, jumps to a moment by its link", async () => {
      await open()
      await at(records.length)
      await replay.click("[aria-label='one record back']")
      await at(records.length - 1)
      await replay.click("[aria-label='what happened before']")
      await at(records.findLastIndex(({ context }) => context === "restarting") + 1)

      // the link of a moment at which the worker was loading shows it loading
      const loading = records.find(
        ({ kind, snapshot }) => kind === "snapshot" && snapshot?.tags.includes("loading") === true
      )
      assert.isDefined(loading)
      const actor = `${loading.daemon}|${loading.path}`
      await replay.goto(`${address}#view=tree&actor=${encodeURIComponent(actor)}&at=${loading.at}`)
      await replay.waitForSelector(`[data-actor="${actor}"][data-life=loading]`)
      await replay.selectOption("[aria-label=speed]", "16")
      await replay.click("[aria-label=play]")
      await at(records.length)
    })

    it("folds what one folds, and leaves the rest as it is", async () => {
      await open(`at=${busy().moment}`)
      const row = (actor: string) => replay.locator(`[data-actor='${actor}']`)
      for (const actor of ["queen|queen/jobs", "queen|queen/hives"]) {
        await row(actor).locator(".fold").click()
        await replay.waitForSelector(`[data-actor='${actor}'][aria-expanded=false]`)
      }
      assert.strictEqual(await row("queen|queen/jobs").getAttribute("aria-expanded"), "false")
    })

    it("is looked at by what finds faults where there are some", async () => {
      await replay.goto("about:blank")
      await replay.setViewportSize({ width: 390, height: 600 })
      await replay.setContent(`<main>
        <p style="width: 60px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap">a long name</p>
        <p style="width: 90px; height: 10px; overflow: hidden">two lines of words</p>
        <p style="width: 600px">${"wide ".repeat(30)}</p>
        <p style="color: #aaa; background: #fff">pale</p>
        <button>seen</button><button style="outline: none">unseen</button>
        <div tabindex="0" style="outline: none" aria-activedescendant="row">a row<div id="row">of it</div></div>
      </main>`)
      assert.deepEqual(
        (await cut(replay)).map((text) => text.slice(0, 23)),
        ["the page scrolls sidewa", "cut by : a long name", "cut by : two lines of w", "beyond the page: wide w"]
      )
      assert.include((await violations(replay)).join(), "color-contrast")
      assert.deepEqual(
        (await unreached(replay)).map((html) => html.includes("seen</button>") && html),
        ['<button style="outline: none">unseen</button>', false]
      )
    })

    it("is accessible, by day and by night, and nothing of it is cut at any width", async () => {
      const { job, moment, worker } = busy()
      const actor = ({ daemon, path }: Pick<Saved, "daemon" | "path">) => encodeURIComponent(`${daemon}|${path}`)
      const places = {
        "view=tree": ".welcome",
        [`view=tree&actor=${actor(worker)}`]: ".chart",
        [`view=tree&actor=${actor(job)}`]: ".chart",
        [`view=tree&actor=${actor({ daemon: "queen", path: "queen/jobs" })}`]: ".children",
        "view=timeline": ".lane",
        [`view=timeline&job=${job.path.slice("queen/jobs/".length)}`]: ".details",
        "view=cluster": ".worker"
      }
      const all = sights.flatMap((sight) => Object.entries(places).map(([place, sign]) => ({ place, sight, sign })))
      await open()
      for (const { place, sight, sign } of sampleOf(all, 4)) {
        await replay.emulateMedia({ colorScheme: sight.colorScheme })
        await replay.setViewportSize({ width: sight.width, height: 800 })
        await replay.evaluate(`location.hash = ${JSON.stringify(`${place}&at=${moment}`)}`)
        await replay.waitForSelector(sign)
        const where = `${place}, ${sight.width}, ${sight.colorScheme}`
        assert.deepEqual(await violations(replay), [], where)
        assert.deepEqual(await cut(replay, ".canvas"), [], where)
      }
    }, 240_000)

    it("is there for the keyboard alone: every control is reached, and one sees where one is", async () => {
      await open(`at=${busy().moment}`)
      for (const view of ["1", "2", "3"]) {
        await replay.keyboard.press(view)
        await replay.waitForSelector({ 1: ".tree", 2: ".lane", 3: ".hive" }[view] ?? "")
        assert.deepEqual(await unreached(replay), [], `view ${view}`)
      }
      await replay.keyboard.press("1")
      await replay.focus(".tree")
      const reached = () => replay.getAttribute(".row.at", "data-actor")
      await replay.keyboard.press("Home")
      const top = await reached()
      await replay.keyboard.press("ArrowLeft")
      await replay.waitForSelector(".row.at[aria-expanded=false]")
      await replay.keyboard.press("ArrowRight")
      await replay.waitForSelector(".row.at[aria-expanded=true]")
      await replay.keyboard.press("ArrowRight")
      await replay.waitForSelector(".row.at[aria-selected=true]")
      assert.notStrictEqual(await reached(), top)
      // of what is shown of it everything is reached, too, and closing it leads back
      assert.deepEqual(await unreached(replay), [], "an actor")
      await replay.focus(".actor .close")
      await replay.keyboard.press("Enter")
      await replay.waitForSelector(".tree:focus")
      await replay.keyboard.press("2")
      await replay.focus(".lane >> nth=0")
      await replay.keyboard.press("ArrowDown")
      await replay.keyboard.press("Enter")
      await replay.waitForSelector(".lane:nth-of-type(2):focus[aria-expanded=true]")
      assert.deepEqual(await unreached(replay), [], "a job")
      await replay.focus(".details .close")
      await replay.keyboard.press("Enter")
      await replay.waitForSelector(".lane:nth-of-type(2):focus[aria-expanded=false]")
    })

    it("opens the trace of a simulation that broke an invariant at that very moment", async () => {
      const plan = join(on.home, "plan.json")
      // the canary: every write to a reader comes twice, which no invariant lets pass
      writeFileSync(plan, JSON.stringify({ ...small, canary: true }))
      const simulated = spawnSync(process.execPath, [simulator, "--plan", plan, "--trace", file])
      assert.strictEqual(simulated.status, 1, String(simulated.stderr))
      await open()
      await replay.waitForSelector(".chip:has-text('simulation, seed 3')")
      const broken = linesOf(file)
      const moment = broken.findIndex((line) => line.includes('"kind":"violation"')) + 1
      await at(moment, broken.length)
      assert.match((await replay.textContent(".violation")) ?? "", /token indexes|one text|ids grow|one terminal/)
      // the job whose reader saw it twice is there, in its place under the queen of the simulation
      await replay.waitForSelector("[data-actor*='|queen/jobs/job-']")
      assert.deepEqual([...(await violations(replay)), ...(await cut(replay))], [])
      await replay.click("[aria-label='one record back']")
      await at(moment - 1, broken.length)
      await replay.click(".violation button")
      await at(moment, broken.length)
    })

    it("stays fluent with 100 hives and 500 actors, and takes the keyboard", async () => {
      writeFileSync(file, large(100))
      await open()
      await replay.waitForSelector("[data-actor='hive-h99|hive/workers/w0']", { state: "attached" })
      assert.isAtLeast(await replay.locator(".row").count(), 500)
      await replay.focus(".tree")
      for (let n = 0; n < 5; n++) await replay.keyboard.press("ArrowDown")
      await replay.waitForSelector("[aria-selected=true]")
      await replay.keyboard.press("3")
      await replay.waitForSelector("[data-hive=h99]", { state: "attached" })
      // it opened at the violation; from the end the alert leads there again
      await replay.waitForSelector(".violation:has-text('nothing left') >> text=a row of nobody")
      await at(704, 705)
      await replay.click("[aria-label='one record on']")
      await at(705, 705)
      await replay.click(".violation button")
      await at(704, 705)
    })
  })

  it("opens one loopback port with --one-process --inspect", async () => {
    const other = await machine({ env: paced })
    const run = answer(["--one-process", "--inspect", ...long], other)
    await run.until(({ stderr }) => /inspector on http:\/\/127\.0\.0\.1:\d+\/inspect/.test(stderr()))
    const address = /http:\S+\/inspect/.exec(run.stderr())?.[0] ?? ""
    const own = await visit(browser, new URL(address).origin)
    own.page.setDefaultTimeout(boundMs)
    await own.page.goto(address)
    await own.page.waitForSelector(`${workerRow}[data-life=healthy]`)
    await stop(run)
    assert.deepEqual(
      own.complaints().filter((text) => !text.includes("ERR_")),
      []
    )
    await own.page.close()
  })
})

describe("a browser tab that takes nothing any more", () => {
  it("slows nobody and costs the queen a bounded buffer", async () => {
    const { hostname, port } = new URL(on.queenUrl)
    const stalled = connect({ host: hostname, port: Number(port) })
    stalled.pause()
    const head = `Host: ${hostname}:${port}\r\nAuthorization: Bearer ${token}`
    stalled.write(`GET /inspect/events HTTP/1.1\r\n${head}\r\n\r\n`)
    const queen = on.processes().find(({ role }) => role === "queen")
    assert.isDefined(queen)
    const megabytes = () => {
      const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${queen.pid}/status`, "utf8")) ?? []
      return Number(kilobytes) / 1000
    }
    const first = await Promise.all([1, 2, 3].map(() => on.rbee(["infer", ...short])))
    assert.deepEqual(
      first.map(({ code }) => code),
      [0, 0, 0]
    )
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

const linesOf = (file: string): ReadonlyArray<string> => readFileSync(file, "utf8").trim().split("\n")

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
