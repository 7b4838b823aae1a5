/** Which surface a call belongs to: what is asked for where nothing is, is answered as its clients read it. */
import { anthropic } from "./anthropic-surface.ts"
import { ollama } from "./ollama-surface.ts"
import { openAi } from "./openai-surface.ts"
import { rbee } from "./rbee.ts"
import { isWithin, type Surface, versionHeader } from "./surface.ts"

/** Those that have paths of their own. */
const surfaces: ReadonlyArray<Surface> = [anthropic, openAi, ollama]

export const surfaceOf = (path: string): Surface => surfaces.find((surface) => isWithin(surface, path)) ?? rbee

/** Where two makers have the same path, or nobody has it, its client's own headers say whose it is. */
export const surfaceFor = (
  surface: Surface,
  isKnown: boolean,
  headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
): Surface => (headers[versionHeader] !== undefined && (surface === openAi || !isKnown) ? anthropic : surface)
