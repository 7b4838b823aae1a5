/** What every command says that needs a queen and finds none. */
import type { Context } from "./spec.ts"

/** exit code of status commands when what they are about does not run */
export const notRunningCode = 3

export const notRunning = (context: Context, json: boolean, what = "queen"): number => {
  const message = `${what} is not running`
  if (json)
    context.terminal.stdout.write(`${JSON.stringify({ running: false, error: { code: "NOT_RUNNING", message } })}\n`)
  else context.terminal.stderr.write(`${message}; start it with: ${context.typed("up")}\n`)
  return notRunningCode
}
