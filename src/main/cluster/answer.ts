/** A job's answer as an async iterable of its text, for callers who do not speak Effect. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import { readEvents, type SseEvent } from "../../protocol/sse.ts"
import type { QueenApi } from "../../protocol/queen/index.ts"
import { isErrorCode, type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

/** What an `error` event tells. */
export const failureIn = (event: SseEvent): RbeeError => {
  if (event.event === "cancelled") return rbeeError("CANCELLED", "the job was cancelled")
  const data: unknown = JSON.parse(event.data)
  const { code, message, details } = (typeof data === "object" && data !== null ? data : {}) as Readonly<
    Record<string, unknown>
  >
  return rbeeError(
    typeof code === "string" && isErrorCode(code) ? code : "INTERNAL",
    String(message ?? "the job failed").replace(/\.$/, ""),
    "",
    typeof details === "object" && details !== null ? { ...details } : {}
  )
}

const textIn = (event: SseEvent): string => {
  const data: unknown = JSON.parse(event.data)
  return typeof data === "object" && data !== null && "t" in data ? String(data.t) : ""
}

/** Pieces that came since they were last asked for arrive as one. A stream without a terminal event is a failure. */
export async function* answerOf(
  api: QueenApi,
  id: JobId,
  logs: Layer.Layer<never>
): AsyncGenerator<string, void, void> {
  let pending = ""
  let end: { readonly error: unknown } | "done" | undefined
  let wake: () => void = () => {}
  const onEvent = (event: SseEvent) => {
    if (event.event === "token") pending += textIn(event)
    else if (event.event === "done") end ??= "done"
    else if (event.event === "error" || event.event === "cancelled") end ??= { error: failureIn(event) }
    wake()
  }
  const reading = Effect.flatMap(api.jobEvents({ id }), (feed) => readEvents(feed, onEvent)).pipe(
    Effect.zipRight(Effect.suspend(() => Effect.fail(rbeeError("INTERNAL", "the job's stream ended without its end")))),
    Effect.provide(logs)
  )
  const interruption = new AbortController()
  const read = async () => {
    const exit = await Effect.runPromiseExit(reading, { signal: interruption.signal })
    if (Exit.isFailure(exit)) end ??= { error: Cause.squash(exit.cause) }
    wake()
  }
  const over = read()
  try {
    for (;;) {
      if (pending !== "") {
        const piece = pending
        pending = ""
        yield piece
      } else if (end === "done") return
      else if (end !== undefined) throw end.error
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    interruption.abort()
    await over
  }
}
