/** What an agent's model says: prose and code, and a call that writes a file. */
import { written } from "../../support/scripts.ts"

const prose = "The function reads each line, keeps the ones that match (`a < b && c[0] > 1`), and writes {them} back.\n"
const code = `export const f = (a: Array<string>): string => a.map((x) => "<" + x + ">").join(",\\n") // {"b": [1, 2]}\n`

const calls = {
  prose: [],
  call: [{ name: "write_file", arguments: { path: "src/a.ts", text: code.repeat(36) } }]
} as const
type Kind = keyof typeof calls
export const kinds: ReadonlyArray<Kind> = ["prose", "call"]
export const isKind = (text: string): text is Kind => text in calls

/** A thousand tokens or so. */
export const tokensOf = (kind: Kind): ReadonlyArray<string> =>
  written({ content: prose.repeat(kind === "prose" ? 40 : 3), calls: calls[kind] })
