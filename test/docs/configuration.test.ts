/** docs/configuration.md lists the settings that there are, and what pages show of a configuration file is taken. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { entriesNow } from "../../src/layers/model-entries/file.ts"
import { entryFields } from "../../src/machines/entries/entry.ts"
import { readConfigFile } from "../../src/main/config/file.ts"
import { defaultOf, knobs, nameOf, textOf as valueText, variableOf } from "../../src/main/config/knobs.ts"
import { blocks, pages, rowsOf, textOf, withBlock } from "./pages.ts"

const file = "docs/configuration.md"

const table = [
  "| key | environment | default | unit | what it is |",
  "|---|---|---|---|---|",
  ...knobs.map((knob) => {
    const value = defaultOf(knob)
    const shown = value === undefined ? "unset" : `\`${valueText(value)}\``
    return `| \`${nameOf(knob)}\` | \`${variableOf(knob)}\` | ${shown} | ${knob.unit} | ${knob.doc} |`
  })
].join("\n")

it("lists every setting with its variable, unit and default", async () => {
  await expect(withBlock(textOf(file), "knobs", table)).toMatchFileSnapshot(`../../${file}`)
})

const shown = pages.flatMap((page) => blocks(textOf(page), "toml").map((text) => ({ page, text })))

it.each(shown)("$page shows a configuration that is taken: $text", async ({ text }) => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-toml-"))
  try {
    writeFileSync(join(folder, "config.toml"), text)
    await readConfigFile(join(folder, "config.toml"))
    await Effect.runPromise(entriesNow(join(folder, "config.toml")))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

it("the page on models has every field of a model's entry", () => {
  const text = textOf("docs/models.md")
  const section = text.slice(text.indexOf("\n## A default"), text.indexOf("\n## What other programs"))
  const named = rowsOf(section).flatMap(([cell = ""]) => cell.match(/(?<=`)\w+(?=`)/g) ?? [])
  expect(named.toSorted()).toEqual(entryFields.toSorted())
})

const prose = pages.filter((page) => page.startsWith("docs/") || page === "README.md").map((page) => ({ page }))

it.each(prose)("settings that $page names are there", ({ page }) => {
  const sections = [...new Set(knobs.map(({ section }) => section))].join("|")
  const [names, variables] = [new Set<string>(knobs.map(nameOf)), new Set(knobs.map(variableOf))]
  const text = textOf(page)
  const named = [...text.matchAll(new RegExp(`\`((?:${sections})\\.[a-z_]+)\``, "g"))].map(([, name = ""]) => name)
  const inEnvironment = [...text.matchAll(/\bRBEE_[A-Z_]+[A-Z]\b/g)].map(([name]) => name)
  expect(named.filter((name) => !names.has(name))).toEqual([])
  expect(inEnvironment.filter((name) => !variables.has(name) && !others.has(name))).toEqual([])
})

/** what no file can say */
const others = new Set(["RBEE_HOME", "RBEE_TOKEN", "RBEE_TOKEN_FILE", "RBEE_HIVE_INVITE", "RBEE_HIVE_INVITE_FILE"])
