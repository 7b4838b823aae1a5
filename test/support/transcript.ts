/** What a terminal showed, as a page has it: with what depends on the machine and its speed left out. */
import { readFileSync } from "node:fs"
import type { Finished } from "./machine.ts"

/** The lines of a block of a page that is marked so. */
export const shown = (page: string, mark: string): ReadonlyArray<string> => {
  const whole = readFileSync(new URL(`../../${page}`, import.meta.url), "utf8")
  const text = whole.split(`<!-- ${mark} -->\n`)[1]?.split(`<!-- /${mark} -->`)[0] ?? ""
  return text.split("\n").filter((line) => line !== "" && line !== "```")
}

/** The command and both its streams; an answer stands before the mark of its end. */
export const transcriptOf = (command: string, { stderr, stdout }: Finished): ReadonlyArray<string> => {
  const lines = (text: string) => text.split("\n").filter((line) => line !== "")
  const said = lines(stderr)
  const end = said.indexOf("[DONE]")
  const at = end < 0 ? said.length : end
  return [`$ ${command}`, ...said.slice(0, at), ...lines(stdout), ...said.slice(at)]
}

/** Numbers of this machine as `#`. */
export const masked = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.map((line) =>
    line
      .replace(/rbee \d+\.\d+\.\d+\b/, "rbee #")
      .replace(/: linux \S+, \d+ cores, \d+ of \d+ MB RAM free, \d+ MB/, ": linux #, # cores, # of # MB RAM free, # MB")
      .replace(/Node v[\d.]+, GPU tools: .+, answers in \d+ ms/, "Node #, GPU tools: #, answers in # ms")
      .replace(/ on :\d+ /, " on :# ")
      .replace(/( at [\w-]+):\d+$/, "$1:#")
      .replace(/^(hive: … 100% @ )[\d.]+/, "$1#")
      .replace(/(downloaded in )[\d.]+/, "$1#")
      .replace(/model=\S+\//, "model=#/")
  )
