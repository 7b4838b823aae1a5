/** A real Chromium, where there is one; with what it asked for and complained of. */
import { accessSync, constants } from "node:fs"
import { type Browser, chromium, type Page } from "playwright-core"

const candidates = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]

/** Undefined: tests of the page are skipped on this machine. */
export const chromiumPath: string | undefined = candidates.find((path) => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
})

export interface Visit {
  readonly page: Page
  /** errors and warnings of the console, uncaught errors, requests to anybody but `origin` */
  readonly complaints: () => ReadonlyArray<string>
}

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath ?? "", args: ["--no-sandbox", "--disable-dev-shm-usage"] })

export const visit = async (
  browser: Browser,
  origin: string,
  options: { readonly width?: number; readonly height?: number; readonly colorScheme?: "light" | "dark" } = {}
): Promise<Visit> => {
  const { width = 1366, height = 800, colorScheme = "dark" } = options
  const page = await browser.newPage({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" })
  const found: Array<string> = []
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) found.push(`${message.type()}: ${message.text()}`)
  })
  page.on("pageerror", (error) => found.push(`uncaught: ${error.message}`))
  page.on("request", (request) => {
    const url = request.url()
    if (!url.startsWith(`${origin}/`) && !/^(data|blob):/.test(url)) found.push(`asked ${url}`)
  })
  return { page, complaints: () => found }
}
