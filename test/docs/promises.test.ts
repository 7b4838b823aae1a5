/** The page on what is promised names tests that are there. */
import { readdirSync, readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { textOf } from "./pages.ts"

const page = textOf("docs/promises.md")
const files = readdirSync("test", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".test.ts"))
const sources = files.map((name) => readFileSync(`test/${name}`, "utf8"))

it("every file that the page on promises names is there", () => {
  const named = [...page.matchAll(/`(test\/[\w/-]+\.test\.ts)`/g)].map(([, name = ""]) => name)
  expect(named.length).toBeGreaterThan(100)
  const isThere = (name: string) => files.some((file) => `/test/${file}`.endsWith(`/${name}`))
  expect(named.filter((name) => !isThere(name))).toEqual([])
})

it("every title that the page on promises quotes is that of a test", () => {
  const titles = [...page.matchAll(/› "([^"]+)"/g)].map(([, title = ""]) => title)
  expect(titles.length).toBeGreaterThan(150)
  const isThere = (title: string) => sources.some((source) => source.replaceAll("\\", "").includes(title))
  expect(titles.filter((title) => !isThere(title))).toEqual([])
})
