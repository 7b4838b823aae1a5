/** What is true of every page: accessible, nothing cut or sticking out, and the keyboard alone gets everywhere. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Page } from "playwright-core"
import { eventually } from "./machine.ts"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

export const violations = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axe)
  return await page.evaluate<ReadonlyArray<string>>(
    "axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`)))"
  )
}

/** Elements that are wider than their place: they cut words, or scroll sideways. */
export const cut = (page: Page): Promise<ReadonlyArray<string>> =>
  page.evaluate<ReadonlyArray<string>>(`
    [document.documentElement, ...document.querySelectorAll("body *")]
      .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
      .filter((one) => one === document.documentElement || getComputedStyle(one).overflowX !== "visible")
      .filter((one) => !one.matches(".unseen, input, textarea, select"))
      .map((one) => one.tagName + "." + one.className + ": " + one.scrollWidth + " in " + one.clientWidth)
  `)

const isOn = (page: Page, selector: string): Promise<boolean> =>
  page.evaluate<boolean>(`document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`)

/** more than any view has of what can be focused */
const mostSteps = 150

/** Goes there with the Tab key alone. */
export const reach = async (page: Page, selector: string): Promise<void> => {
  await page.waitForSelector(selector)
  for (let step = 0; step < mostSteps; step++) {
    if (await isOn(page, selector)) return
    await page.keyboard.press("Tab")
  }
  throw new Error(`the keyboard does not reach ${selector}`)
}

/** Goes there, and presses Enter. */
export const press = async (page: Page, selector: string): Promise<void> => {
  await reach(page, selector)
  await page.keyboard.press("Enter")
}

/** Goes there, and writes in place of what stood there. */
export const write = async (page: Page, selector: string, text: string): Promise<void> => {
  await reach(page, selector)
  await page.keyboard.press("Control+A")
  await page.keyboard.insertText(text)
}

/** `what`: of an element's text. */
export const says = (page: Page, selector: string, what: RegExp, boundMs = 10_000): Promise<void> => {
  let seen = ""
  return eventually(
    async () => {
      // a page that is being loaded says nothing yet
      seen = (
        await page
          .locator(selector)
          .allInnerTexts()
          .catch(() => [])
      ).join("\n")
      return what.test(seen)
    },
    () => `${selector} does not say ${String(what)}, but ${seen}`,
    boundMs
  )
}
