/** The pictures of docs/page, from a real cluster with a hub and another machine. `npm run bench -- page-pictures` */
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { launch, visit } from "../support/browser.ts"
import { stallAt, testHub } from "../support/hub.ts"
import { makeMachine } from "../support/machine.ts"
import { makeRemote } from "../support/remote.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const folder = join(root, "docs", "page")

const gpus = [
  { id: "gpu0", name: "RTX 3060", vram_mb: 12_000 },
  { id: "gpu1", name: "RTX 3090", vram_mb: 24_000 }
]

export const run = async (): Promise<void> => {
  mkdirSync(folder, { recursive: true })
  const hub = await testHub()
  copyFileSync(join(hub.folder, "acme/tiny/tiny-Q8_0.gguf"), join(hub.folder, "acme/tiny/tiny-Q4_K_M.gguf"))
  const remote = await makeRemote({ installed: true })
  const on = await makeMachine({
    programs: `${root}/dist`,
    env: {
      RBEE_WORKER_MAX_TOKENS_PER_S: "90",
      HF_ENDPOINT: hub.url,
      RBEE_HIVE_GPUS: JSON.stringify(gpus),
      RBEE_QUEEN_SSH_CONFIG: remote.config
    }
  })
  on.env["HF_HOME"] = join(on.home, "hf")
  const browser = await launch()
  try {
    await on.rbee(["up"])
    for (const [name, questions] of [
      ["ada", 6],
      ["ben", 2]
    ] as const) {
      const made = await on.rbee(["keys", "add", name, "--tokens-per-day", "2000", "--json"])
      const { key }: { readonly key: string } = JSON.parse(made.stdout)
      for (let asked = 0; asked < questions; asked++)
        await on.fetch(`${on.queenUrl}/v1/completions`, {
          method: "POST",
          headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
          body: JSON.stringify({ model: "minillama", prompt: "Bees", max_tokens: 60 })
        })
    }
    const { page } = await visit(browser, on.queenUrl, { width: 980, height: 620, colorScheme: "light" })
    await page.goto((await on.rbee(["open", "--print"])).stdout.trim())
    const shoot = (name: string) => page.screenshot({ path: join(folder, `${name}.png`) })

    await page.fill(".composer > textarea", "Tell me about bees")
    await page.keyboard.press("Enter")
    await page.waitForSelector(".turn.answer[data-state=done]")
    await shoot("chat")

    await page.click("nav a[href='#models']")
    await page.fill("input[type=search]", "tiny")
    await page.keyboard.press("Enter")
    await page.click("[aria-label='What fits here of acme/tiny']")
    await page.waitForSelector(".fits button")
    hub.faults.push(stallAt(2_200_000))
    await page.click("[aria-label^='Fetch to localhost: HF:acme/tiny:Q8_0']")
    await page.waitForSelector(".download:has-text('66 %')")
    await page.setViewportSize({ width: 980, height: 980 })
    await shoot("models")
    await page.setViewportSize({ width: 980, height: 620 })

    await page.click("nav a[href='#machines']")
    await page.click("text=Add a machine")
    await page.fill(".fields input[required]", "remote")
    await page.click(".fields summary")
    await page.fill(".fields input[placeholder='8600']", String(remote.hivePort))
    await page.click(".fields button[type=submit]")
    await page.waitForSelector("[data-step=wake][data-state=done]")
    await shoot("machines")

    await page.click("nav a[href='#usage']")
    await page.waitForSelector(".sums")
    await shoot("usage")
  } finally {
    await browser.close()
    await on.dispose()
    await remote.dispose()
    await hub.close()
  }
}
