/** `rbee doctor`: what is wrong, and the way out. Exit code 1 where something will fail. */
import * as Effect from "effect/Effect"
import { paint, plain, type Part } from "../../../layers/terminal/index.ts"
import { diagnosisOf, type Diagnosis, type Finding, type Verdict } from "../../../machines/doctor/finding.ts"
import type { RbeeError } from "../../../machines/errors.ts"
import type { Context } from "../spec.ts"
import { roomOf, wrapped } from "../table.ts"
import { inWorld } from "../world.ts"
import { hub, ports, ssh, versions } from "./around.ts"
import { disks, engines, folders, memory, program, settings as ofSettings } from "./here.ts"

const look = ({ settings, trouble }: Context) =>
  Effect.map(
    Effect.all(
      [
        program,
        Effect.sync(() => [ofSettings(settings, trouble)]),
        engines(settings),
        Effect.sync(() => [memory()]),
        Effect.sync(() => [...folders(settings), ...disks(settings)]),
        ports(settings),
        hub,
        ssh(settings),
        versions(settings)
      ],
      { concurrency: "unbounded" }
    ),
    (found) => found.flat()
  )

const colours: Readonly<Record<Verdict, "green" | "yellow" | "red">> = { ok: "green", warn: "yellow", wrong: "red" }
const indent = 16

const parts = ({ check, seen, todo, verdict }: Finding, room: number): ReadonlyArray<Part> => {
  const lines = (text: string, from: number) =>
    wrapped(plain(text).replaceAll("\n", " "), room - from).join(`\n${" ".repeat(from)}`)
  return [
    paint(colours[verdict], verdict.padEnd(7)),
    `${check.padEnd(indent - 7)}${lines(seen, indent)}\n`,
    ...(todo === undefined ? [] : [`${" ".repeat(indent)}→ ${lines(todo, indent + 2)}\n`])
  ]
}

const summary = ({ findings }: Diagnosis): string => {
  const of = (verdict: Verdict) => findings.filter((one) => one.verdict === verdict).length
  const [wrong, warn] = [of("wrong"), of("warn")]
  if (wrong + warn === 0) return "nothing is wrong"
  return `${wrong} ${wrong === 1 ? "thing is" : "things are"} wrong, ${warn} could be better`
}

export const doctor = (json: boolean, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.map(inWorld(context, look(context)), (findings) => {
    const { stdout } = context.terminal
    const diagnosis = diagnosisOf(context.settings.version, findings)
    if (json) stdout.write(`${JSON.stringify(diagnosis)}\n`)
    else {
      const room = roomOf(stdout) ?? Number.POSITIVE_INFINITY
      for (const finding of findings) stdout.write(...parts(finding, room))
      stdout.write(`${summary(diagnosis)}\n`)
    }
    return diagnosis.well ? 0 : 1
  })
