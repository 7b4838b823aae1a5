/** The licences of what is bundled, which travel with it: `dist/licenses.txt`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const folderIn = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/

const noticeOf = (folder) => {
  const { license = "see below", name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim())
  return [`${name} ${version} (${license})`, ...texts].join("\n\n")
}

/** `inputs`: the files that were bundled, by their paths from `root`. */
export const writeLicenses = (root, inputs, file) => {
  const folders = new Set(inputs.flatMap((path) => folderIn.exec(path)?.[0] ?? []))
  const notices = [...folders].sort().map((folder) => noticeOf(join(root, folder)))
  writeFileSync(file, `${notices.join(`\n\n${"-".repeat(80)}\n\n`)}\n`)
}
