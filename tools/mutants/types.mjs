/**
 * Which mutants the compiler refuses: each is written into a copy of the source, one of each file at a time, and the
 * errors in that file are its. What is merely unused or out of reach is no error here.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const options = { noUnusedLocals: false, noUnusedParameters: false, allowUnreachableCode: true, noEmit: true }

/** The ids of those that are refused. */
export const refused = (mutants, folder) => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  cpSync("src", join(folder, "src"), { recursive: true })
  const ids = new Set()
  const byFile = grouped(mutants)
  for (let turn = 0; ; turn += 1) {
    const batch = [...byFile.values()].flatMap((all) => all.slice(turn, turn + 1))
    if (batch.length === 0) break
    for (const { file, range, to } of batch) {
      const text = readFileSync(file, "utf8")
      writeFileSync(join(folder, file), text.slice(0, range[0]) + to + text.slice(range[1]))
    }
    const errors = compile(
      folder,
      batch.map(({ file }) => file)
    )
    for (const { file, id } of batch) {
      if (errors.some((line) => line.startsWith(`${file}(`))) ids.add(id)
      cpSync(file, join(folder, file))
    }
  }
  rmSync(folder, { recursive: true, force: true })
  return ids
}

const compile = (folder, files) => {
  const project = { extends: "../../tsconfig.json", compilerOptions: options, files, include: [] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(project))
  const tsc = join("..", "..", "node_modules", "typescript", "bin", "tsc")
  const { stdout } = spawnSync("node", [tsc, "-p", "tsconfig.json"], { cwd: folder, encoding: "utf8" })
  return stdout.split("\n").filter((line) => line.includes(": error TS"))
}

const grouped = (mutants) => {
  const groups = new Map()
  for (const mutant of mutants) groups.set(mutant.file, [...(groups.get(mutant.file) ?? []), mutant])
  return groups
}
