/** Every page points to what is there: files, headings, folders. */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, it } from "vitest"
import { anchors, pages, textOf, withoutCode } from "./pages.ts"

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
  const named = [...withoutCode(textOf(page)).matchAll(/`((?:src|test|tools|docs|models)\/[\w./-]+)`/g)]
  expect(named.map(([, path = ""]) => path).filter((path) => !existsSync(path))).toEqual([])
})
