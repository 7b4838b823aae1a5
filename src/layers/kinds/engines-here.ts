/** The engines of a machine, for who looks at them, builds or removes one: no daemon needs this. */
import * as Effect from "effect/Effect"
import { rbeeError, type RbeeError } from "../../machines/errors.ts"
import type { EngineView } from "../../machines/kinds/engine-view.ts"
import { llama } from "../../machines/kinds/llama/llama.ts"
import { llamaServer } from "../../machines/kinds/llama-server/llama-server.ts"
import type { WorkerKind } from "../../machines/kinds/kind.ts"
import { backends } from "../../machines/vocabulary/device.ts"
import { findBinary, type Places, runtimeVersion } from "../runtimes/llama/places.ts"
import { type Installing, installServer, removeServer } from "../runtimes/llama-server/install.ts"
import { lookFor } from "../runtimes/llama-server/runtimes.ts"
import type { RuntimeOptions } from "./runtimes.ts"

export { environmentOf } from "./runtimes.ts"

const common = ({ id, resume, takes }: WorkerKind) => ({ engine: id, images: takes.images, resume })

const llamaHere = (places: Places): EngineView => {
  const here = backends.filter((backend) => findBinary(places, backend) !== undefined)
  return {
    ...common(llama),
    state: here.length > 0 ? "ready" : "absent",
    version: `node-llama-cpp ${runtimeVersion}`,
    origin: "rbee",
    backends: here
  }
}

const serverHere = ({ engines, ...places }: RuntimeOptions): Effect.Effect<EngineView> =>
  Effect.map(lookFor({ ...places, named: engines?.[llamaServer.id]?.command }), ({ found, told }): EngineView => {
    const where = found === undefined ? {} : { origin: found.origin, program: found.program }
    if (!("reason" in told))
      return { ...common(llamaServer), state: "ready", version: told.version, ...where, backends: told.backends }
    const state = found === undefined ? "absent" : "broken"
    return { ...common(llamaServer), state, ...where, backends: [], reason: told.reason }
  })

export const enginesHere = (options: RuntimeOptions): Effect.Effect<ReadonlyArray<EngineView>> =>
  Effect.map(serverHere(options), (server) => [llamaHere(options), server])

const notBuilt = (name: string) =>
  rbeeError("INVALID_REQUEST", `engine ${name} is not built: it comes with rbee`, "Only llama-server is")

export const installEngine = (name: string, options: Installing): Effect.Effect<unknown, RbeeError> =>
  name === llamaServer.id ? installServer(options) : notBuilt(name)

export const removeEngine = (name: string, places: Places): Effect.Effect<boolean, RbeeError> =>
  name === llamaServer.id ? removeServer(places) : notBuilt(name)
