import { assert, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { type Report, Reports } from "../../../src/actors/core/reports.ts"

const logged = (report: Report) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, annotations, cause }) => {
      const fields = ["supervisor", "context", "reason", "child"].map((key) => HashMap.unsafeGet(annotations, key))
      lines.push([logLevel.label, ...fields, Cause.isEmpty(cause) ? "-" : "cause"].join(" | "))
    })
    const { report: tell } = yield* Reports
    yield* tell(report).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Effect.provide(Logger.add(logger)),
      Logger.withMinimumLogLevel(LogLevel.Debug)
    )
    return lines[0]
  })

it.effect("without another sink a report is one log line with the same four fields, at the level it deserves", () =>
  Effect.gen(function* () {
    const died = Cause.die(new Error("bug in the chart"))
    assert.strictEqual(
      yield* logged({ supervisor: "queen/hives", context: "child_terminated", reason: died, child: "localhost" }),
      "ERROR | queen/hives | child_terminated | Error: bug in the chart | localhost | cause"
    )
    assert.strictEqual(
      yield* logged({ supervisor: "queen", context: "child_terminated", reason: "killed", child: "hives" }),
      "WARN | queen | child_terminated | killed | hives | -"
    )
    assert.strictEqual(
      yield* logged({ supervisor: "queen", context: "started", reason: "progress", child: "hives" }),
      "DEBUG | queen | started | progress | hives | -"
    )
  })
)
