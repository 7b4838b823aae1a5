/** Every command that a page names is one that there is, with the flags that it is shown with. */
import { existsSync, readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { commands } from "../../src/main/cli/commands.ts"
import { knobs, nameOf } from "../../src/main/config/knobs.ts"
import { proofs } from "../../tools/proofs.mjs"
import { blocks, pages, textOf } from "./pages.ts"

const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { readonly scripts: Record<string, string> }
const settings = knobs.map((knob) => nameOf(knob).replaceAll(/[._]/g, "-"))

/** Of `sh` blocks and of code within the text: what follows a prompt, a pipe or an assignment counts too. */
const commandsOf = (page: string): ReadonlyArray<string> => {
  const text = textOf(page)
  const within = [...text.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code)
  return [...blocks(text, "sh").flatMap((block) => block.split("\n")), ...within]
    .map((line) => line.replace(/ {2,}#.*$/, ""))
    .flatMap((line) => line.split(/ (?:&&|>|;) |\|\| /))
    .map((command) => command.trim().replace(/^npx (?=rbee)/, ""))
    .filter((command) => /^(rbee|npm|npx) [a-z]/.test(command))
}

/** `rbee models pull|show MODEL`: once for each. */
const each = (command: string): ReadonlyArray<string> => {
  const [, before = "", choice = "", after = ""] = /^(.*?)(\S+\|\S+)(.*)$/.exec(command) ?? []
  return choice === "" ? [command] : choice.split("|").map((one) => before + one + after)
}

const isOurs = (command: string): boolean => {
  const [, ...words] = command.split(/\s+/)
  const named = commands.filter(({ spec }) => spec.path.every((word, at) => words[at] === word))
  const flags = words.flatMap((word) => /^--([\w-]+)/.exec(word)?.slice(1) ?? [])
  const isGroup = words.length === 1 && commands.some(({ spec }) => spec.path[0] === words[0])
  return (
    isGroup ||
    // those that the parser itself knows
    ["help", "version"].includes(words[0] ?? "") ||
    named.some(({ spec }) => {
      const known = new Set([...spec.flags.map(({ name }) => name), ...settings])
      return flags.every((flag) => known.has(flag))
    })
  )
}

const isNpms = (command: string): boolean => {
  const [program, first = "", second = "", ...rest] = command.split(/\s+/)
  const name = rest[0] === "--" ? rest[1] : undefined
  if (program === "npx") return first === "vitest" && existsSync(rest[0] ?? "")
  if (first !== "run")
    return ["ci", "install", "pack", "rebuild", "uninstall"].includes(first) || (first in scripts && second === "")
  if (second === "bench" && name !== undefined) return name === "NAME" || existsSync(`test/bench/${name}.ts`)
  if (second === "proof" && name !== undefined && !name.startsWith("-"))
    return name === "NAME" || proofs.some((proof) => proof.name === name)
  return second in scripts
}

it.each(pages)("commands in %s are there", (page) => {
  const unknown = commandsOf(page)
    .flatMap(each)
    .filter((command) => !(command.startsWith("rbee") ? isOurs(command) : isNpms(command)))
  expect(unknown).toEqual([])
})
