/** llama.cpp's server as the runtime of a kind of workers. It is brought by the user: nobody waits half an hour for a job. */
import * as Effect from "effect/Effect"
import { rbeeError } from "../../../machines/errors.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"
import type { KindRuntimes } from "../index.ts"
import { about } from "./about.ts"
import { findServer, type ServerPlaces } from "./places.ts"

const wayOut = "Install it: `rbee engines install llama-server`; or name it in the configuration of its machine"

/** What a llama-server can do that is there, or why none can be used. */
export const lookFor = (places: ServerPlaces) =>
  Effect.promise(async () => {
    const found = findServer(places)
    if (found === undefined) return { found, told: { reason: "there is none on this machine" } }
    return { found, told: await about(found.program, places.env) }
  })

const unavailable = (backend: Backend, reason: string, todo: string) =>
  rbeeError("BACKEND_UNAVAILABLE", `llama-server cannot serve here: ${reason}`, todo, { backend })

export const serverRuntimes = (places: ServerPlaces): KindRuntimes => ({
  find: (backend) =>
    Effect.map(lookFor(places), ({ found, told }) =>
      found === undefined || "reason" in told || !told.backends.includes(backend)
        ? undefined
        : { version: `llama-server ${told.version}`, folder: found.program, args: found.args }
    ),
  install: (backend) =>
    Effect.flatMap(lookFor(places), ({ found, told }) => {
      if ("reason" in told)
        return unavailable(
          backend,
          found === undefined ? told.reason : `${told.reason} [${found.origin}]`,
          found?.origin === "configuration" ? "Correct [engines.llama-server] of its configuration" : wayOut
        )
      return unavailable(
        backend,
        `it is built for ${told.backends.join(", ")}, and the device needs ${backend}`,
        "Choose another device, or name one that is built for it"
      )
    }),
  // no model of ours need be tried: a worker serves nobody before its first answer
  prove: () => Effect.succeed("unclear"),
  learn: () => Effect.succeed(undefined),
  read: () => Effect.succeed(undefined),
  sweep: Effect.void
})
