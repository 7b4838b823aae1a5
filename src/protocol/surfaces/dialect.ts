/** Which interface a path belongs to: OpenAI's clients read errors of their own, and their base urls vary. */

export type Dialect = "rbee" | "openai"

/** Base urls end with it, or do not. */
export const openAiPrefix = "/v1"

export const dialectOf = (path: string): Dialect =>
  path === openAiPrefix || path.startsWith(`${openAiPrefix}/`) ? "openai" : "rbee"
