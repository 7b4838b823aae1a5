/** The cluster's own surface: what keepers, queens, hives and workers say to each other. */
import type { RbeeError } from "../../machines/errors.ts"
import { errorBody } from "../wire/error.ts"
import { keepAliveComment, retryLine } from "../sse.ts"
import { bearer, type Surface } from "./surface.ts"

export const rbee: Surface = {
  name: "rbee",
  prefix: "",
  isPrefixNeeded: true,
  framing: { type: "text/event-stream", ends: "\n\n", opens: retryLine, keepAlive: keepAliveComment, closes: "" },
  authorization: bearer,
  envelope: (error, correlationId) => ({ error: errorBody(error, correlationId) })
}

/** The body of an error, as text. */
export const encodeError = (error: RbeeError, correlationId: string | undefined, surface: Surface = rbee): string =>
  JSON.stringify(surface.envelope(error, correlationId))
