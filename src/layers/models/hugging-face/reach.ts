/** Does the hub answer at all? One small question, as a download would ask it: through the proxy, with the token. */
import { type RbeeError, RbeeError as Failure, rbeeError } from "../../../machines/errors.ts"
import { drop, follow } from "./request.ts"
import type { HubSettings } from "./settings.ts"

export interface Reached {
  readonly status: number
  /** what it says of the time, milliseconds since 1970 */
  readonly date: number | undefined
}

export const reach = async (hub: HubSettings): Promise<Reached | RbeeError> => {
  const base = hub.endpoint.replace(/\/+$/, "")
  if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol))
    return rbeeError("DOWNLOAD_FAILED", `HF_ENDPOINT is no address of the web`, "Check HF_ENDPOINT")
  const token = hub.token()
  // who shows a token is told whether it is one
  const url = new URL(`${base}/api/${token === undefined ? "models?limit=1" : "whoami-v2"}`)
  const { answerMs, stallMs } = hub
  try {
    const answer = await follow(url, { method: "GET", token, origin: url.origin, stallMs, answerMs })
    drop(answer.response)
    const date = Date.parse(answer.header("date") ?? "")
    return { status: answer.status, date: Number.isNaN(date) ? undefined : date }
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}
