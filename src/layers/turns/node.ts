/** Turns of Node's event loop. */
import * as Layer from "effect/Layer"
import { Turns } from "./index.ts"

export const layerNode = Layer.succeed(Turns, { atEndOfTurn: (work) => void setImmediate(work) })
