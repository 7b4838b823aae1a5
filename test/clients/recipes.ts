/** The recipes of docs/clients.md as they stand there, for the queen and the model of a test. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import type { ScriptedCluster } from "../support/scripted/cluster.ts"

const page = readFileSync(new URL("../../docs/clients.md", import.meta.url), "utf8")

export type Language = "js" | "json" | "sh" | "toml" | "yaml"

/** The block of this language and name: ```json opencode */
export const recipe = (
  language: Language,
  name: string,
  { model, queenUrl }: Pick<ScriptedCluster, "model" | "queenUrl">
): string => {
  const [, block] = new RegExp(`^\`\`\`${language} ${name}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page) ?? []
  if (block === undefined) throw new Error(`docs/clients.md has no ${language} ${name}`)
  return block.replaceAll("http://127.0.0.1:8500", queenUrl).replaceAll("MODEL", model)
}

export const write = (file: string, text: string): void => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
