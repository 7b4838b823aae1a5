/**
 * Other machines, before and besides the hives on them: what is there, installing, logs. Implementation: `ssh.ts`; where
 * there is none (one process, simulation) every call is refused.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { rbeeError } from "../../machines/errors.ts"
import type { Failing, ofRemoteMachine } from "../../protocol/failures.ts"
import type { SshPlace } from "../../machines/vocabulary/place.ts"
import type { Look } from "./questions.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

/** A machine on which a hive is, or will be. */
export interface Remote {
  /** the hive's id */
  readonly id: HiveId
  readonly place: SshPlace
}

/** What was found there. */
export interface Facts extends Omit<Look, "clock"> {
  /** one question there and back, milliseconds */
  readonly latencyMs: number
  /** milliseconds by which its clock is ahead of ours */
  readonly clockAheadMs: number
}

export interface Installed {
  readonly version: string
  /** false: this very package was there already */
  readonly changed: boolean
}

export type RemoteError = Failing<typeof ofRemoteMachine>

export interface Remotes {
  /** Looks, and changes nothing. A host that cannot be reached is tried three times. */
  readonly check: (
    remote: Remote,
    options: { readonly acceptNewHostKey: boolean | string }
  ) => Effect.Effect<Facts, RemoteError>
  /** Puts this very package there; tells its steps. Interrupted or failed it leaves what was there before. */
  readonly install: (remote: Remote, tell: (step: string) => void) => Effect.Effect<Installed, RemoteError>
  /** Removes every version; the hive's state, its models and logs stay. */
  readonly uninstall: (remote: Remote) => Effect.Effect<boolean, RemoteError>
  /** the last lines of its hive's log */
  readonly logs: (remote: Remote, lines: number) => Effect.Effect<string, RemoteError>
  /** Remembers a key's passphrase as long as this process lives. False: it does not open the key. */
  readonly unlock: (file: string, passphrase: string) => Effect.Effect<boolean>
}

const refused = Effect.suspend(() =>
  rbeeError("INVALID_REQUEST", "other machines are not used here", "Run without --one-process")
)

export class CurrentRemotes extends Context.Reference<CurrentRemotes>()("rbee/Remotes", {
  defaultValue: (): Remotes => ({
    check: () => refused,
    install: () => refused,
    uninstall: () => refused,
    logs: () => refused,
    unlock: () => Effect.succeed(false)
  })
}) {}
