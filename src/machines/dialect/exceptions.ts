/** What models write that their templates do not show. At most five, each with its reason. */
import type { Dialect } from "./dialect.ts"

interface Exception {
  readonly reason: string
  readonly applies: (dialect: Dialect) => boolean
  readonly change: (dialect: Dialect) => Dialect
}

const harmony: Exception = {
  reason: "gpt-oss names the tool after the channel, which its template renders before it",
  applies: ({ reasoning, tools }) =>
    reasoning?.open === "<|channel|>analysis<|message|>" && tools?.form._tag === "name_json",
  change: (dialect) => {
    if (dialect.tools === null) return dialect
    const opens = ["commentary", "analysis"].map((channel) => [`<|channel|>${channel} to=functions.`])
    const mids = [[" <|constrain|>json<|message|>"], [" json<|message|>"], ["<|message|>"]]
    const also = opens.flatMap((open) => mids.map((mid) => ({ open, mid })))
    const turned = mids.map((mid) => ({
      open: dialect.tools?.open ?? [],
      mid: [`<|channel|>commentary${mid.join("")}`]
    }))
    const content = { ...dialect.content, also: ["<|channel|>commentary<|message|>"], close: "<|end|>" }
    return { ...dialect, content, tools: { ...dialect.tools, also: [...also, ...turned] } }
  }
}

export const exceptions: ReadonlyArray<Exception> = [harmony]

export const withExceptions = (dialect: Dialect): Dialect => {
  const found = exceptions.find(({ applies }) => applies(dialect))
  return found === undefined ? dialect : { ...found.change(dialect), source: { exception: found.reason } }
}
