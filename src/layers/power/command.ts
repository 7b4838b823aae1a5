/** The machine sleeps by a command of its system: a program and its arguments, no shell. */
import { execFile } from "node:child_process"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { rbeeError } from "../../machines/errors.ts"
import { toolEnvironment } from "../process/environment.ts"
import { CurrentSettings } from "../settings/index.ts"
import { Suspend } from "./index.ts"

/** one that waits for the machine to wake again has it go on sleeping meanwhile, and this time does not run then */
const withinMs = 60_000

export const layerCommand: Layer.Layer<Suspend, never, CurrentSettings> = Layer.effect(
  Suspend,
  Effect.map(CurrentSettings, ({ hive }) => {
    const [program = "", ...args] = hive.suspendCommand
    const said = hive.suspendCommand.join(" ")
    return {
      suspend: Effect.async((resume) => {
        const child = execFile(program, args, { timeout: withinMs, env: toolEnvironment() }, (error, _, stderr) => {
          if (error === null) return resume(Effect.void)
          const last = stderr.trim().split("\n").at(-1) ?? ""
          const why = last === "" ? error.message.split("\n")[0] : last
          resume(
            rbeeError(
              "INTERNAL",
              `this machine does not sleep by \`${said}\`: ${why}`,
              "Set hive.suspend_command there to what puts it to sleep"
            )
          )
        })
        return Effect.sync(() => void child.kill())
      })
    }
  })
)
