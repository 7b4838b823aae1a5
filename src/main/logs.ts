/** How every daemon writes its log: one JSON object a line, with the correlation id of the call it was written for. */
import * as Context from "effect/Context"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { stderrLines } from "../layers/process/log-file.ts"
import { Call } from "../protocol/endpoint.ts"

const correlationOf = (fiber: FiberRefs.FiberRefs): string | undefined =>
  Context.get(FiberRefs.getOrDefault(fiber, FiberRef.currentContext), Call).correlationId

/** Read from the fiber's context when a line is written, so that a call without one costs nothing. */
export const jsonLogger = Logger.make<unknown, string>((line) => {
  const correlationId = correlationOf(line.context)
  return Logger.jsonLogger.log(
    correlationId === undefined
      ? line
      : { ...line, annotations: HashMap.set(line.annotations, "correlation_id", correlationId) }
  )
})

const isUrgent = LogLevel.greaterThan(LogLevel.Info)

/** On stderr. */
export const jsonLogs = Layer.suspend(() => {
  const lines = stderrLines()
  return Logger.replace(
    Logger.defaultLogger,
    Logger.make((line) => lines.add(jsonLogger.log(line), isUrgent(line.logLevel)))
  )
})
