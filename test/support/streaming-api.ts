/** A worker's interface with a call that gives a stream alone, as queens and hives have them: for tests of transports. */
import { endpoint } from "../../src/protocol/endpoint.ts"
import * as stream from "../../src/protocol/events.ts"
import { byId } from "../../src/protocol/inputs.ts"
import { workerApi } from "../../src/protocol/worker.ts"

export const streamingApi = {
  ...workerApi,
  inferEvents: endpoint("GET", "/infer/:id/events", {
    scope: "peer",
    summary: "Its tokens",
    input: byId,
    answers: { events: stream.ofInfer },
    errors: ["NOT_FOUND"]
  })
} as const
