/**
 * The views of the queen's page beside the chat, in a real Chromium, on real processes, by the keyboard alone. One cluster
 * serves all of them, with a hub and, where there is an sshd, another machine.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { blocks, textOf } from "../docs/pages.ts"
import { callsIn } from "../docs/shell.ts"
import { chromiumPath, launch, visit } from "../support/browser.ts"
import { stallAt, testHub, type TestHub } from "../support/hub.ts"
import { eventually, type Machine } from "../support/machine.ts"
import { useMachines } from "../support/machines.ts"
import { cut, press, reach, says, sights, violations, write } from "../support/page.ts"
import { sampleOf } from "../support/proof.ts"
import { hasSshd, makeRemote, type RemoteMachine } from "../support/remote.ts"

const machine = useMachines(afterAll)
const boundMs = 30_000
const places = ["chat", "models", "machines", "usage"] as const

/** How long the answer was while it came. */
const watching = `
  window.lengths = new Set()
  new MutationObserver(() => {
    const said = document.querySelector(".turn.answer[data-state=running] > .prose")
    if (said !== null) window.lengths.add(said.textContent.length)
  }).observe(document.body, { subtree: true, childList: true, characterData: true })
`

/** A picture is let fall on the chat. */
const dropping = `
  const dataTransfer = new DataTransfer()
  dataTransfer.items.add(new File(["x"], "photo.png", { type: "image/png" }))
  document.querySelector(".composer").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }))
`

describe.skipIf(chromiumPath === undefined)("the queen's page", () => {
  let browser: Browser
  let hub: TestHub
  let on: Machine
  /** as the README's last command prints it */
  let link: string
  let remote: RemoteMachine | undefined
  beforeAll(async () => {
    browser = await launch()
    hub = await testHub()
    remote = hasSshd ? await makeRemote({ installed: true }) : undefined
    on = await machine({
      env: {
        HF_ENDPOINT: hub.url,
        RBEE_WORKER_MAX_TOKENS_PER_S: "40",
        ...(remote === undefined ? {} : { RBEE_QUEEN_SSH_CONFIG: remote.config })
      }
    })
    on.env["HF_HOME"] = join(on.home, "hf")
    // the first command is npm's, which made this checkout
    const block = blocks(textOf("README.md"), "sh").find((one) => one.startsWith("npm ci\nnpx rbee up"))
    const [up = [], open = [], ...more] = callsIn(block ?? "")
    assert.isEmpty(more)
    assert.strictEqual((await on.rbee(up)).code, 0)
    const opened = await on.rbee(open)
    assert.strictEqual(opened.code, 0, opened.stderr)
    link = opened.stdout.trim()
  })
  afterAll(async () => {
    await browser.close()
    await remote?.dispose()
    await hub.close()
  })

  const opened = async (options: Parameters<typeof visit>[2] = {}) => {
    const visited = await visit(browser, on.queenUrl, options)
    visited.page.setDefaultTimeout(boundMs)
    return visited
  }
  const letIn = async (page: Page) => page.goto((await on.rbee(["open", "--print"])).stdout.trim())
  const chat = async (page: Page, text: string) => {
    await write(page, ".composer > textarea", text)
    await page.keyboard.press("Enter")
    await page.waitForSelector(".turn.answer[data-state=done]")
  }

  /** With what is open on it. */
  const isClean = async (page: Page) => {
    assert.deepEqual(await violations(page), [])
    assert.deepEqual(await cut(page), [])
  }

  it("is a chat with a streaming answer in the three commands of the README, and usage is told; what needs the token says so", async () => {
    const { complaints, page } = await opened({ width: 390 })
    await page.goto(link)
    await says(page, ".welcome", /Ask your own machines\./)
    assert.isTrue(await page.evaluate("document.activeElement?.matches('.composer > textarea')"))
    await page.evaluate(watching)
    await page.keyboard.type("hello")
    await page.keyboard.press("Enter")
    await page.waitForSelector(".turn.answer[data-state=done]")
    assert.isAbove(await page.evaluate<number>("window.lengths.size"), 3, "it came in one piece")
    await press(page, ".turn button[aria-label='Copy the answer']")
    await says(page, ".turn footer", /Copied/)
    await page.goto(`${on.queenUrl}/#usage`)
    await says(page, ".sums", /admin/)
    const { keys } = (await (await on.fetch(`${on.queenUrl}/v1/usage`)).json()) as {
      readonly keys: ReadonlyArray<{ readonly days: ReadonlyArray<{ readonly completion_tokens: number }> }>
    }
    assert.strictEqual(
      await page.locator(".sums tbody tr td:nth-of-type(4)").first().innerText(),
      String(keys[0]?.days[0]?.completion_tokens)
    )
    await press(page, ".card summary")
    await page.waitForSelector(".card .sums th[scope=row]")
    await isClean(page)
    assert.deepEqual(complaints(), [])
    await page.close()
    const stranger = await opened()
    for (const place of ["models", "machines"]) {
      await stranger.page.goto(`${on.queenUrl}/#${place}`)
      await says(stranger.page, ".note", /this needs the cluster's token[\s\S]*rbee open/)
    }
    await stranger.page.close()
  }, 60_000)

  it("lets somebody in by a key: to what it may, with its own usage, until they sign out; a picture is named, and not sent", async () => {
    const { key }: { readonly key: string } = JSON.parse((await on.rbee(["keys", "add", "ada", "--json"])).stdout)
    const { page } = await opened()
    await page.goto(`${on.queenUrl}/#models`)
    await write(page, "input[type=password]", key)
    await page.keyboard.press("Enter")
    await says(page, ".note", /key ada has no right to this: it may infer, and this needs manage/)
    await press(page, "nav a[href='#chat']")
    await page.evaluate(dropping)
    await says(page, ".composer .note", /photo\.png is not sent/)
    await chat(page, "hello")
    await press(page, "nav a[href='#usage']")
    await says(page, ".sums tbody", /^ada\s+1\b/)
    assert.notInclude((await page.locator(".sums").allInnerTexts()).join("\n"), "admin")
    await press(page, ".top button")
    await page.waitForSelector(".top button", { state: "detached" })
    await says(page, ".sums tbody", /^local\b/)
    await page.close()
  }, 60_000)

  it("finds a model on the hub, says what fits, fetches it, cancels, goes on, and has presets that the chat picks", async () => {
    const { complaints, page } = await opened()
    await letIn(page)
    await press(page, "nav a[href='#models']")
    await write(page, "input[type=search]", "tiny")
    await page.keyboard.press("Enter")
    await press(page, "button[aria-label='What fits here of acme/tiny']")
    await says(
      page,
      ".fits",
      /Q8_0 3\.3 MB[\s\S]*CPU of localhost[^\n]*: fits · \d+(\.\d)? MB · \d × 512 tokens of context · (about \d+ tokens\/s|speed not known yet)/
    )
    hub.faults.push(stallAt(2_000_000))
    // tried anew after half a minute, it stands still again
    hub.always = stallAt(1)
    await press(page, "button[aria-label='Fetch to localhost: HF:acme/tiny:Q8_0']")
    await says(page, ".download", /[56]\d % · [\d.]+ MB of 3\.3 MB/)
    await isClean(page)
    const later = await opened()
    await letIn(later.page)
    await later.page.goto(`${on.queenUrl}/#models`)
    await says(later.page, ".download", /[56]\d % · /)
    await later.page.close()
    await press(page, "button[aria-label='Cancel the download of HF:acme/tiny:Q8_0']")
    await page.waitForSelector(".download", { state: "detached" })
    hub.always = undefined
    const sent = hub.sent()
    await press(page, "button[aria-label='Fetch to localhost: HF:acme/tiny:Q8_0']")
    await press(page, "button[aria-label='Keep: HF:acme/tiny:Q8_0 on localhost']")
    await says(page, ".card", /Kept/)
    assert.isBelow(hub.sent() - sent, 2_000_000, "it was fetched from its beginning")
    await press(page, "section[aria-label=Presets] > .row button")
    await write(page, ".fields input[required]:not([list])", "terse")
    await write(page, ".fields input[list]", "HF:acme/tiny:Q8_0")
    await write(page, ".fields textarea", "Be brief.")
    await isClean(page)
    await press(page, ".fields button[type=submit]")
    await says(page, "section[aria-label=Presets]", /terse[\s\S]*HF:acme\/tiny:Q8_0[\s\S]*system Be brief\./)
    await press(page, "button[aria-label='Make it the default: terse']")
    await says(page, "section[aria-label=Presets] h4", /terse default/)
    assert.match(
      readFileSync(join(on.home, "config.toml"), "utf8"),
      /default_model = "terse"[\s\S]*system = "Be brief\."/
    )
    await press(page, "nav a[href='#chat']")
    await reach(page, ".composer select")
    await page.keyboard.type("terse")
    await says(page, ".composer .note", /HF:acme\/tiny:Q8_0 with a prompt/)
    await chat(page, "hello")
    await says(page, ".turn footer .facts", /^terse · /)
    assert.deepEqual(complaints(), [])
    await page.close()
  }, 90_000)

  it.skipIf(!hasSshd)(
    "adds a machine, asks for its host key, shows its checks, logs and devices, and forgets it",
    async () => {
      if (remote === undefined) throw new Error("there is no other machine")
      writeFileSync(remote.knownHosts, "")
      const { page } = await opened()
      await letIn(page)
      await press(page, "nav a[href='#machines']")
      await press(page, ".page > .row button")
      // shown, and added by nobody but who picks it
      await press(page, ".discovered > button")
      await says(page, ".discovered li", /^remote\s[\s\S]*ssh configuration/)
      await press(page, ".discovered li button")
      assert.strictEqual(await page.inputValue(".fields input[required]"), "remote")
      await press(page, ".fields summary")
      await isClean(page)
      await write(page, `.fields input[placeholder='8600']`, String(remote.hivePort))
      await press(page, ".fields button[type=submit]")
      await page.waitForSelector(".question")
      await isClean(page)
      await says(page, ".question", /SHA256:\S{20,}/)
      await press(page, ".question button")
      await says(page, ".steps", /Look at the machine[\s\S]*cores[\s\S]*Node v\d+[\s\S]*is there already/)
      await page.waitForSelector("[data-step=wake][data-state=done]", { timeout: 60_000 })
      await press(page, "section.card > .row button")
      const card = "[data-hive=remote]"
      await says(page, card, /healthy[\s\S]*over ssh: remote[\s\S]*CPU, \d+ cores/)
      await press(page, "button[aria-label='Logs of remote']")
      await says(page, `${card} .log`, /INFO/)
      await isClean(page)
      await press(page, "button[aria-label='Stop remote']")
      await page.waitForSelector(`${card}:is([data-state=cold], [data-state=stopped])`, { timeout: 60_000 })
      await press(page, "button[aria-label='Remove remote']")
      await press(page, `${card} button.sure`)
      await page.waitForSelector(card, { state: "detached" })
      await press(page, "button[aria-label='Logs of localhost']")
      await says(page, "[data-hive=localhost] .log", /INFO/)
      const unload = "[data-hive=localhost] button[aria-label^='Unload']"
      await page.waitForSelector(unload)
      const workers = await page.locator(unload).count()
      await press(page, unload)
      await eventually(async () => (await page.locator(unload).count()) < workers, "the worker is still shown", boundMs)
      await page.close()
    },
    120_000
  )

  it("is accessible and cuts nothing in every view, by day and by night, at every width and at 200 %", async () => {
    for (const { colorScheme, width } of sampleOf(sights, 2)) {
      const { page } = await opened({ width, colorScheme })
      await letIn(page)
      await chat(page, "```js\nconst a = 1\n```")
      for (const place of places) {
        await press(page, `nav a[href='#${place}']`)
        await page.waitForSelector(place === "chat" ? ".turn.answer" : ".card :is(h3, h4)")
        assert.deepEqual(await violations(page), [], `${place}, ${width}, ${colorScheme}`)
        assert.deepEqual(await cut(page), [], `${place}, ${width}`)
      }
      await page.close()
    }
  }, 120_000)

  it("does all that the chat can by the keyboard: settings, stop, try again, export, another conversation, and its end", async () => {
    const { page } = await opened()
    await page.goto(on.queenUrl)
    await press(page, ".parameters summary")
    await write(page, ".parameters textarea", "You are a bee.")
    await write(page, ".parameters input[max]", "0")
    await write(page, ".composer > textarea", "tell me a story")
    await page.keyboard.press("Enter")
    await press(page, ".composer button.main:not([type=submit])")
    await page.waitForSelector(".turn.answer[data-state=stopped]")
    await press(page, ".turn.answer footer button:last-child")
    await page.waitForSelector(".turn.answer[data-state=done]")
    const saved = page.waitForEvent("download")
    await press(page, ".title button")
    const file = readFileSync((await (await saved).path()) ?? "", "utf8")
    assert.match(file, /^# tell me a story\n\n\*\*You\*\*\n\ntell me a story\n\n\*\*Model\*\*\n\n\S/)
    await press(page, ".conversations .new")
    await says(page, ".welcome", /Ask your own machines/)
    await press(page, ".conversations li button:first-child")
    await says(page, ".turn.asked", /tell me a story/)
    await press(page, ".conversations .remove")
    await page.waitForSelector(".conversations li", { state: "detached" })
    await page.close()
  }, 60_000)

  it("lets nothing in from elsewhere, and nobody change anything without the page's own header", async () => {
    const home = await fetch(on.queenUrl, { headers: { accept: "text/html" } })
    const policy = home.headers.get("content-security-policy") ?? ""
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/)
    assert.notMatch(policy, /unsafe|https?:|\*/)
    const { page } = await opened()
    await letIn(page)
    const asked = (headers: object) =>
      page.evaluate<number>(
        `fetch("/catalog/entries/terse", { method: "POST", headers: ${JSON.stringify({ "content-type": "application/json", ...headers })}, body: "{\\"default\\":true}" }).then(({ status }) => status)`
      )
    assert.strictEqual(await asked({}), 403)
    assert.strictEqual(await asked({ "x-rbee-page": "1" }), 204)
    await page.close()
  }, 60_000)

  it("says by name which hub cannot be reached, and why a model cannot be fetched", async () => {
    const { page } = await opened()
    await letIn(page)
    await press(page, "nav a[href='#models']")
    await write(page, "input[type=search]", "HF:acme/nowhere")
    await page.keyboard.press("Enter")
    await says(page, ".problem", /there is no acme\/nowhere on 127\.0\.0\.1/)
    await hub.close()
    await write(page, "input[type=search]", "tiny")
    await page.keyboard.press("Enter")
    await says(
      page,
      ".problem",
      /127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)\. Check the network and HF_ENDPOINT/
    )
    await page.close()
  }, 60_000)
})
