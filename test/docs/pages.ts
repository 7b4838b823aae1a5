/** Pages as text: their headings, tables, commands, and the blocks of them that are made from code. */
import { readdirSync, readFileSync } from "node:fs"

/** All files of ours below a folder, as paths from the root. */
export const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .toSorted()

/** Everything that is written for people, as paths. */
export const pages: ReadonlyArray<string> = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
  ...["docs", "src"].flatMap(filesBelow).filter((file) => file.endsWith(".md"))
]

export const textOf = (page: string): string => readFileSync(page, "utf8")

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-")

export const anchors = (text: string): ReadonlySet<string> =>
  new Set([...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading)))

/** Lines of code are no headings and no links. */
export const withoutCode = (text: string): string => text.replaceAll(/^```[\s\S]*?^```$/gm, "")

/** The blocks of code that are of a language. */
export const blocks = (text: string, language: string): ReadonlyArray<string> =>
  [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, of, block = ""]) => (of === language ? [block] : []))

/** The cells of all rows of tables. */
export const rowsOf = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  withoutCode(text)
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .slice(1, line.lastIndexOf("|"))
        .split(" | ")
        .map((cell) => cell.replace(/^\||\|$/g, "").trim())
    )

/** The page with what stands between `<!-- mark -->` and `<!-- /mark -->` replaced. */
export const withBlock = (text: string, mark: string, block: string): string => {
  const [begin, end] = [`<!-- ${mark} -->\n`, `<!-- /${mark} -->`]
  const [before = "", rest] = text.split(begin)
  if (rest === undefined) throw new Error(`no ${begin.trim()}`)
  return `${before}${begin}${block.trim()}\n${rest.slice(rest.indexOf(end))}`
}
