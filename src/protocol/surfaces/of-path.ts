/** Which surface a path belongs to: what is asked for where nothing is, is answered as its clients read it. */
import { openAi } from "./openai.ts"
import { rbee } from "./rbee.ts"
import { isWithin, type Surface } from "./surface.ts"

/** Those that have paths of their own. */
const surfaces: ReadonlyArray<Surface> = [openAi]

export const surfaceOf = (path: string): Surface => surfaces.find((surface) => isWithin(surface, path)) ?? rbee
