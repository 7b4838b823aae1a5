/** Every start and every death of a child is one structured report with the same four fields. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"

/** What the supervisor was doing. */
export type ReportContext =
  | "started"
  | "start_error"
  | "child_terminated"
  | "stopped"
  | "killed"
  | "shutdown_error"
  | "gave_up"

export interface Report {
  /** Path of the supervisor. */
  readonly supervisor: string
  readonly context: ReportContext
  /** `killed`: interrupted by somebody who is not its supervisor. A cause: it failed, or died of a bug. */
  readonly reason: "progress" | "normal" | "killed" | "shutdown" | "timeout" | Cause.Cause<unknown>
  /** Id of the child. */
  readonly child: string
}

/** Where reports go. Without another sink they are logged: deaths as errors or warnings, the rest at debug level. */
export class Reports extends Context.Reference<Reports>()("rbee/Reports", {
  defaultValue: () => ({ report: (report: Report): Effect.Effect<void> => log(report) })
}) {}

/** At debug level where nothing went wrong: most clusters log none of it, and every job has two. */
const log = (report: Report): Effect.Effect<void> =>
  isPlain(report)
    ? Effect.flatMap(FiberRef.get(FiberRef.currentMinimumLogLevel), (minimum) =>
        LogLevel.greaterThan(minimum, LogLevel.Debug) ? Effect.void : said(report)
      )
    : said(report)

const isPlain = ({ reason }: Report): boolean => !Cause.isCause(reason) && reason !== "timeout" && reason !== "killed"

const said = (report: Report): Effect.Effect<void> => {
  const cause = Cause.isCause(report.reason) ? Option.some(report.reason) : Option.none()
  const fields = {
    supervisor: report.supervisor,
    context: report.context,
    reason: Cause.isCause(report.reason) ? firstLine(report.reason) : report.reason,
    child: report.child
  }
  const say = Option.isSome(cause)
    ? Effect.logError("supervisor", cause.value)
    : isPlain(report)
      ? Effect.logDebug("supervisor")
      : Effect.logWarning("supervisor")
  return Effect.annotateLogs(say, fields)
}

const firstLine = (cause: Cause.Cause<unknown>): string => Cause.pretty(cause).split("\n", 1)[0] ?? ""
