/**
 * The pictures of docs/inspector, from a real cluster: declared GPUs, paced answers on several devices, one worker
 * killed on the way. `npm run bench -- screenshots`
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { launch, visit } from "../support/browser.ts"
import { eventually, makeMachine } from "../support/machine.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const folder = join(root, "docs", "inspector")

const gpus = [
  { id: "gpu0", name: "RTX 3060", vram_mb: 12_000 },
  { id: "gpu1", name: "RTX 3090", vram_mb: 24_000 }
]

export const run = async (): Promise<void> => {
  mkdirSync(folder, { recursive: true })
  const on = await makeMachine({
    programs: `${root}/dist`,
    env: { RBEE_HIVE_GPUS: JSON.stringify(gpus), RBEE_WORKER_MAX_TOKENS_PER_S: "30" }
  })
  const browser = await launch()
  try {
    await on.rbee(["up"])
    const { complaints, page } = await visit(browser, on.queenUrl, { width: 1440, height: 860 })
    await page.goto(`${(await on.rbee(["inspect", "--print"])).stdout.trim()}#view=timeline`)
    await page.waitForSelector("[data-connection=live]")
    const start = (device: string, tokens: number) =>
      on.start(["infer", "--quiet", "--ignore-eos", "--device", device, "--max-tokens", String(tokens), "hello"])
    const runs = [start("gpu1", 420)]
    await page.waitForSelector(".lane[data-state=streaming]")
    runs.push(start("gpu1", 300), start("gpu0", 400), start("cpu", 150))
    await eventually(
      async () => (await page.locator(".lane[data-state=streaming]").count()) >= 4,
      "four answers do not stream",
      30_000
    )
    runs.push(start("gpu1", 40), start("gpu0", 200))
    await page.waitForTimeout(2500)
    const worker = on.processes().find(({ role }) => role === "worker")
    if (worker !== undefined) process.kill(worker.pid, "SIGKILL")
    await page.waitForSelector(".lane-facts em")
    await page.click("text=10 s")
    await page.waitForTimeout(2500)
    await page.click(".lane:has(em)")
    const shoot = async (name: string) => {
      await page.waitForTimeout(500)
      await page.screenshot({ path: join(folder, `${name}.png`) })
    }
    await shoot("timeline")
    await page.keyboard.press("Escape")
    await page.keyboard.press("3")
    await shoot("cluster")
    await page.keyboard.press("1")
    const restarted = page.locator("[data-actor*='|hive/workers/w-']:has(.restarts:not(:empty))").first()
    await restarted.click()
    await page.click("text=fit")
    await shoot("tree")
    await page.emulateMedia({ colorScheme: "light" })
    await page.click("[data-actor='queen|queen']")
    await page.waitForTimeout(400)
    const job = page.locator("[data-actor*='queen/jobs/job-'][data-life=healthy]").first()
    await job.click()
    await page.click("[aria-label=pause]")
    await shoot("replay")
    for (const each of runs) each.signal("SIGINT")
    await Promise.all(runs.map(({ finished }) => finished))
    if (complaints().length > 0) throw new Error(complaints().join("\n"))
  } finally {
    await browser.close()
    await on.dispose()
  }
}
