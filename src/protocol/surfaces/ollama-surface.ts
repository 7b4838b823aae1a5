/** How Ollama's clients are spoken to; apart from their calls, which only the queen answers. */
import { sentence } from "../../machines/errors.ts"
import { bearer, type Surface } from "./surface.ts"

export const ollama: Surface = {
  name: "ollama",
  prefix: "/api",
  isPrefixNeeded: true,
  // white space before a line is part of no line's value, and an empty line would be one
  framing: { type: "application/x-ndjson", ends: "\n", opens: "", keepAlive: " ", closes: "" },
  authorization: bearer,
  // the text is all that Ollama's clients read
  envelope: (error) => ({ error: sentence(error), code: error.code, details: error.details })
}

/** What Ollama's clients take for the sign that it is there. */
export const running = { type: "text/plain; charset=utf-8", text: "Ollama is running" } as const
