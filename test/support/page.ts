/** What is true of every page: accessible, nothing cut or sticking out, and the keyboard alone gets everywhere. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Page } from "playwright-core"
import { eventually } from "./machine.ts"

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

/** CSS pixels: a telephone, a screen of 1 280 at 200 %, a tablet, a screen. */
const widths = [390, 640, 800, 1280] as const
export const sights = (["light", "dark"] as const).flatMap((colorScheme) =>
  widths.map((width) => ({ colorScheme, width }))
)

export const violations = async (page: Page): Promise<ReadonlyArray<string>> => {
  if (!(await page.evaluate<boolean>("'axe' in window"))) await page.evaluate(axe)
  return await page.evaluate<ReadonlyArray<string>>(
    "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`)))"
  )
}

/**
 * Texts of which a part cannot be seen, whoever hides it: the page's edge, or an element around that cuts what sticks out.
 * `but`: what is looked at through a window that is moved, such as a drawing.
 */
export const cut = (page: Page, but = ":not(*)"): Promise<ReadonlyArray<string>> =>
  page.evaluate<ReadonlyArray<string>>(`{
    const found = new Set()
    const { clientWidth, scrollWidth } = document.documentElement
    if (scrollWidth > clientWidth) found.add("the page scrolls sideways: " + scrollWidth + " in " + clientWidth)
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (texts.nextNode()) {
      const text = texts.currentNode
      const parent = text.parentElement
      if (text.data.trim() === "" || parent.closest(${JSON.stringify(`.unseen, script, noscript, option, textarea, ${but}`)})) continue
      const range = document.createRange()
      range.selectNodeContents(text)
      for (const box of range.getClientRects()) {
        if (box.width === 0) continue
        if (box.left < -1 || box.right > clientWidth + 1) found.add("beyond the page: " + text.data)
        for (let around = parent; around !== null; around = around.parentElement) {
          const { overflowX, overflowY } = getComputedStyle(around)
          const edge = around.getBoundingClientRect()
          if (overflowX !== "visible" && (box.left < edge.left - 1 || box.right > edge.right + 1))
            found.add("cut by " + around.className + ": " + text.data)
          if (["hidden", "clip"].includes(overflowY) && (box.top < edge.top - 1 || box.bottom > edge.bottom + 1))
            found.add("cut by " + around.className + ": " + text.data)
        }
      }
    }
    [...found]
  }`)

/** Controls in sight that Tab does not lead to, or where nothing shows that it has. */
export const unreached = async (page: Page): Promise<ReadonlyArray<string>> => {
  const count = await page.evaluate<number>(`{
    const seen = (element) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(element)
      return outlineStyle !== "none" && parseFloat(outlineWidth) > 0
    }
    const isReachable = (element) => element.checkVisibility() && !element.disabled && element.tabIndex >= 0
    const controls = "a[href], button, input, select, textarea, summary, [tabindex]"
    window.left = new Set([...document.querySelectorAll(controls)].filter(isReachable))
    document.activeElement?.blur()
    document.addEventListener("focusin", ({ target }) => {
      // a tree shows it at one of its rows, a field for a file at its label
      const shown = [target, document.getElementById(target.getAttribute("aria-activedescendant")), target.closest("label")]
      if (shown.some((element) => element !== null && seen(element))) window.left.delete(target)
    })
    window.left.size
  }`)
  // twice round: Tab goes on from where it was, and passes the browser's own controls
  for (let n = 0; n < 2 * count + 4; n++) {
    if (n % 8 === 0 && (await page.evaluate<boolean>("window.left.size === 0"))) break
    await page.keyboard.press("Tab")
  }
  return await page.evaluate<ReadonlyArray<string>>(
    "[...window.left].map((element) => element.outerHTML.slice(0, 200))"
  )
}

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
      try {
        seen = (await page.locator(selector).allInnerTexts()).join("\n")
        if (what.test(seen)) return true
        if (seen === "") seen = `nothing: ${await page.innerText("body")}`
      } catch {
        seen = "nothing: it is being loaded"
      }
      return false
    },
    () => `${selector} does not say ${String(what)}, but ${seen}`,
    boundMs
  )
}
