/** What several commands have in common. */
import { lazily } from "../lazily.ts"
import { atLeast, type Declared, declare, flag, number, type ValueKind, type Words } from "../spec.ts"

export const json = { json: flag("json", "print JSON") }
export const alias: Words = {
  name: "ALIAS",
  doc: "the hive; this machine's own by default",
  min: 0,
  max: 1,
  values: "hives"
}
export const one = (name: string, doc: string, values?: ValueKind): Words => ({
  name,
  doc,
  min: 1,
  max: 1,
  ...(values === undefined ? {} : { values })
})
export const lines = number("lines", "N", "lines from the end; 100 by default", { ...atLeast(0), alias: "n" })
export const daemons = () => import("../commands/daemons.ts")
export const lists = () => import("../commands/lists.ts")
export const list = (
  kind: "hives" | "workers" | "models" | "jobs",
  path: ReadonlyArray<string> = [kind, "ls"],
  summary = `list ${kind}`
): Declared =>
  declare({
    path,
    summary,
    examples: [`rbee ${path.join(" ")}`, `rbee ${path.join(" ")} --json`],
    flags: json,
    run: (values, _, context) => lazily(lists, (module) => module.list(kind, values.json, context))
  })

export const model = one("MODEL", "the reference, for example HF:author/repo:Q4_K_M", "models")
