/**
 * `socket.json`: systemd listens at a queen's address while she sleeps, and every connection wakes her. So whoever only looks
 * goes by this note and by her state file, and connects to nobody.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Processes } from "../process/index.ts"
import { DaemonFiles, DaemonProbe, type Probe } from "./index.ts"
import { living } from "./state-file.ts"

const fileIn = (folder: string): string => join(folder, "socket.json")

const urlIn = (text: string | undefined): string | undefined => {
  try {
    const found: unknown = JSON.parse(text ?? "")
    return typeof found === "object" && found !== null && "url" in found ? String(found.url) : undefined
  } catch {
    return undefined
  }
}

/** Left by a queen who was given her address, for when she sleeps; taken away by one who took it herself. */
export const noteHeld = (folder: string, url: string | undefined): Effect.Effect<void, never, DaemonFiles> =>
  Effect.flatMap(DaemonFiles, (files) =>
    url === undefined ? files.remove(fileIn(folder)) : files.write(fileIn(folder), `${JSON.stringify({ url })}\n`)
  )

/** Is her address held for her, while she may be asleep? */
export const isHeld = (folder: string, url: string): Effect.Effect<boolean, never, DaemonFiles> =>
  Effect.flatMap(DaemonFiles, (files) => Effect.map(files.read(fileIn(folder)), (text) => urlIn(text) === url))

/** A connection would wake her: her address is held, and her process is not there. */
export const sleepsAt = (folder: string, url: string): Effect.Effect<boolean, never, DaemonFiles | Processes> =>
  Effect.flatMap(isHeld(folder, url), (held) =>
    held ? Effect.map(living(folder), (state) => state === undefined) : Effect.succeed(false)
  )

/** Who is there, without waking her. */
export const askAwake = (
  folder: string,
  url: string
): Effect.Effect<Probe, never, DaemonFiles | DaemonProbe | Processes> =>
  Effect.flatMap(sleepsAt(folder, url), (sleeps) =>
    sleeps ? Effect.succeed<Probe>({ _tag: "Nobody" }) : Effect.flatMap(DaemonProbe, (probe) => probe.ask(url))
  )
