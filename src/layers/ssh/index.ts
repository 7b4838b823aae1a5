/**
 * One SSH connection to one host, as OpenSSH would make it: its configuration, its keys, its known hosts. Implementation:
 * `ssh2.ts`. Nothing is run over it but what `run` is given, and that is never put together from words of others.
 */
import type { Duplex } from "node:stream"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import type { SshPlace } from "../../machines/vocabulary/place.ts"

export type SshError = RbeeError<
  | "INVALID_REQUEST"
  | "SSH_AUTH_FAILED"
  | "SSH_HOST_KEY_UNKNOWN"
  | "SSH_HOST_KEY_CHANGED"
  | "SSH_UNREACHABLE"
  | "SSH_FAILED"
>

export interface Ran {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** The addresses of a connection. */
export interface Ends {
  readonly local: string
  readonly remote: string
}

export interface SshConnection {
  /** as this machine's kernel has them; undefined: it goes through another host */
  readonly ends: Ends | undefined
  /** milliseconds since anything came from the other side; it is asked every second */
  readonly silentMs: () => number
  /** Runs a command of ours there, with `stdin` as its input; interrupting it hangs up on it. */
  readonly run: (command: string, stdin: string, onStderr?: (line: string) => void) => Effect.Effect<Ran, SshError>
  /** A stream to a port of that machine's loopback, or of a host that it reaches. */
  readonly open: (port: number, host?: string) => Effect.Effect<Duplex, SshError>
  /** Hands streams of that machine's Unix socket `path` to `onStream`; what was at `path` before is removed. */
  readonly listen: (path: string, onStream: (stream: Duplex) => void) => Effect.Effect<void, SshError>
  /** Copies a file there (mode 0600). */
  readonly upload: (from: string, to: string) => Effect.Effect<void, SshError>
  /** comes true when it is closed, from whichever side */
  readonly closed: Effect.Effect<void>
}

export interface ConnectOptions {
  /** a host key that was never seen is taken for right, and recorded: any, or the one of this fingerprint */
  readonly acceptNewHostKey?: boolean | string
}

export class Ssh extends Context.Tag("rbee/Ssh")<
  Ssh,
  {
    /** Closing the scope closes the connection. */
    readonly connect: (place: SshPlace, options?: ConnectOptions) => Effect.Effect<SshConnection, SshError, Scope.Scope>
    /** Remembers the passphrase of a key for as long as this process lives. False: it does not open the key. */
    readonly unlock: (file: string, passphrase: string) => Effect.Effect<boolean>
  }
>() {}
