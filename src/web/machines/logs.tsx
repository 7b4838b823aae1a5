/** The last lines of a hive's log. */
import { callText } from "../kit/call.ts"
import { useRemote } from "../kit/remote.ts"
import { Shown } from "../kit/shown.tsx"
import { logLine } from "./read.ts"

const lines = 200

export const Logs = ({ hive }: { readonly hive: string }) => {
  const log = useRemote(() => callText(`/hives/${encodeURIComponent(hive)}/logs?lines=${lines}`))
  return (
    <Shown of={log}>
      {(text) => (
        // scrolls: so that the keyboard alone reaches it
        <pre class="log" tabIndex={0} role="log" aria-label={`Log of ${hive}`}>
          {text
            .split("\n")
            .filter((line) => line !== "")
            .map(logLine)
            .join("\n")}
        </pre>
      )}
    </Shown>
  )
}
