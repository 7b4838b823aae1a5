/** What can be done over an open connection, in terms of the library. */
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type { Client, ClientChannel, SFTPWrapper } from "ssh2"
import { rbeeError } from "../../machines/errors.ts"
import type { Ran, SshConnection, SshError } from "./index.ts"

/** bytes of output that a command of ours may have: far above any, far below what could hurt */
const maxOutput = 8 * 1024 * 1024

// long: the calls of one connection over one client, each of them short
export const connectionOf = (
  client: Client,
  host: string,
  life: Pick<SshConnection, "closed" | "ends" | "silentMs">
): SshConnection => {
  const failed = (what: string, error: Error): SshError =>
    rbeeError("SSH_FAILED", `${host} did not ${what}: ${error.message}`, "See its sshd's log")
  // Interruptible wherever it is asked for: the loser of a race is waited for.
  const broken = Effect.interruptible(life.closed).pipe(
    Effect.zipRight(rbeeError("SSH_UNREACHABLE", `the SSH connection to ${host} broke`, "Is the machine still on?"))
  )
  /** One request of the library, which throws where the connection is closed and never calls back once it breaks. */
  const ask = <A>(what: string, start: (done: (error: Error | undefined, value: A) => void) => void) =>
    Effect.raceFirst(
      Effect.async<A, SshError>((resume) => {
        try {
          start((error, value) => resume(error ? failed(what, error) : Effect.succeed(value)))
        } catch (error) {
          resume(failed(what, error instanceof Error ? error : new Error(String(error))))
        }
      }),
      broken
    )
  const sftp = ask<SFTPWrapper>("open SFTP", (done) => client.sftp((error, session) => done(error, session)))

  const run: SshConnection["run"] = (command, stdin, onStderr) =>
    Effect.gen(function* () {
      const stream = yield* ask<ClientChannel>("run a command", (done) =>
        client.exec(command, (error, channel) => done(error, channel))
      )
      const ends = Effect.async<Ran, SshError>((resume) => {
        const out: Array<Buffer> = []
        let bytes = 0
        let stderr = ""
        let code: number | undefined
        stream.on("data", (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes <= maxOutput) out.push(chunk)
          else stream.close()
        })
        stream.stderr.on("data", (chunk: Buffer) => {
          const text = chunk.toString("utf8")
          stderr = (stderr + text).slice(-16_384)
          for (const line of text.split("\n")) if (line.trim() !== "") onStderr?.(line)
        })
        stream.on("exit", (status: number | null) => {
          code = status ?? undefined
        })
        stream.on("close", () => resume(Effect.succeed({ code, stdout: Buffer.concat(out).toString("utf8"), stderr })))
        stream.end(stdin)
        return Effect.sync(() => stream.close())
      })
      return yield* Effect.raceFirst(ends, broken)
    })

  return {
    ...life,
    run,
    open: (port, to = "127.0.0.1") =>
      ask<Duplex>(`connect to port ${port}`, (done) =>
        client.forwardOut("127.0.0.1", 0, to, port, (error, stream) => done(error, stream))
      ),
    listen: (path, onStream) =>
      Effect.gen(function* () {
        const files = yield* sftp
        // not there is as good as removed; anything else shows in the next step
        yield* Effect.ignore(
          ask<void>("remove a socket", (done) => files.unlink(path, (error) => done(error ?? undefined)))
        )
        yield* Effect.sync(() => files.end())
        client.removeAllListeners("unix connection")
        client.on("unix connection", (_, accept) => onStream(accept()))
        yield* ask<void>("forward a socket", (done) =>
          client.openssh_forwardInStreamLocal(path, (error) => done(error ?? undefined))
        )
      }),
    upload: (from, to) =>
      Effect.flatMap(sftp, (files) =>
        Effect.ensuring(
          ask<void>("take a file", (done) =>
            files.fastPut(from, to, { mode: 0o600 }, (error) => done(error ?? undefined))
          ),
          Effect.sync(() => files.end())
        )
      )
  }
}
