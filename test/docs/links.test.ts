/** Every page points to what is there: files, headings, folders. */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, it } from "vitest"
import { anchors, filesBelow, pages, textOf, withoutCode } from "./pages.ts"

const isThere = (from: string, target: string): boolean => {
  const [path = "", anchor] = target.split("#")
  const file = path === "" ? from : join(dirname(from), path)
  return existsSync(file) && (anchor === undefined || anchors(textOf(file)).has(anchor))
}

it.each(pages)("links of %s lead to files and headings that are there", (page) => {
  const links = [...withoutCode(textOf(page)).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, target = ""]) => target)
  expect(links.filter((target) => !isThere(page, target))).toEqual([])
})

it.each(pages)("paths in the text of %s are those of files and folders that are there", (page) => {
  const text = withoutCode(textOf(page))
  const named = [...text.matchAll(/`((?:src|test|tools|docs|models)\/[\w./-]+|[\w./-]+\.(?:ts|mts|mjs|cjs|md))`/g)]
  const places = ["", dirname(page)]
  const isNowhere = (path: string) => !places.some((at) => existsSync(join(at, path)))
  // any `index.ts` is meant by that name
  expect(named.map(([, path = ""]) => path).filter((path) => path !== "index.ts" && isNowhere(path))).toEqual([])
})

/** Comments of the sources, as good as they can be told from the rest without parsing. */
const commentsOf = (source: string): string =>
  (source.match(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/ .*$/gm) ?? []).join("\n").replaceAll(/\n\s*\* /g, " ")

const sources = ["src", "test", "tools"].flatMap(filesBelow).filter((file) => /\.(?:c|m)?tsx?$|\.(?:c|m)js$/.test(file))

it("comments point to pages and headings that are there", () => {
  const pointers = sources.flatMap((file) =>
    [...commentsOf(textOf(file)).matchAll(/[\w./-]+\.md(?:#[\w-]+)?/g)].map(([target]) => ({ file, target }))
  )
  expect(pointers.length).toBeGreaterThan(60)
  expect(pointers.filter(({ file, target }) => !isThere("README.md", target) && !isThere(file, target))).toEqual([])
})

it("comments point to no page in another way", () => {
  const odd = sources.flatMap((file) => commentsOf(textOf(file)).match(/.*(?:\u00a7|\([A-Z]{4,} [A-Z]\d).*/g) ?? [])
  expect(odd).toEqual([])
})
