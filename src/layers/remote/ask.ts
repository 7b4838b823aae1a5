/** Asks one question of a remote machine over an open connection. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import { isErrorCode, type RbeeError, rbeeError } from "../../machines/errors.ts"
import { shellWord } from "../../machines/formats/shell-quote.ts"
import type { SshPlace } from "../../machines/vocabulary/place.ts"
import type { Ran, SshConnection } from "../ssh/index.ts"
import { heldTo, ofRemoteMachine } from "../../protocol/failures.ts"
import { answerMark } from "./answer-mark.ts"
import type { RemoteError } from "./index.ts"
import { type Answer, type Asks, type Call, questions } from "./questions.ts"

/** no such command, as a POSIX shell says it */
const commandNotFound = 127

/**
 * Finds Node where it usually is; a login without a terminal often has a short PATH. One word for /bin/sh, so that any
 * login shell can pass it on.
 */
const findNode =
  "for n in node $HOME/.local/bin/node /usr/local/bin/node /opt/homebrew/bin/node $HOME/.nvm/versions/node/*/bin/node; " +
  'do command -v "$n" >/dev/null 2>&1 && exec "$n" -; done; exit 127'

const commandOf = ({ node }: SshPlace) =>
  node === undefined
    ? Effect.succeed(`/bin/sh -c '${findNode}'`)
    : Effect.map(shellWord(node), (word) => `exec ${word} -`)

/** `remote.cjs` beside the running program, or above its chunk. */
let program: string | undefined
const programText = (): string => {
  if (program !== undefined) return program
  for (const path of ["./remote.cjs", "../remote.cjs", "../../../dist/remote.cjs"]) {
    try {
      return (program = readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8"))
    } catch {
      // not there: the next place
    }
  }
  throw new Error("dist/remote.cjs is missing: this installation of rbee is not whole")
}

const Line = Schema.parseJson(
  // the refusal first: a value that may be anything may also be missing
  Schema.Union(
    Schema.Struct({
      refusal: Schema.Struct({ code: Schema.String, what: Schema.String, todo: Schema.String })
    }),
    Schema.Struct({ value: Schema.Unknown })
  )
)

/** A program of another version may refuse with whatever it knows. */
const told = heldTo(ofRemoteMachine)

const minimumNode = 20

export const ask = <C extends Call>(
  connection: SshConnection,
  place: SshPlace,
  call: C,
  question: Asks[C],
  onStderr?: (line: string) => void
): Effect.Effect<Answer<C>, RemoteError> =>
  Effect.gen(function* () {
    // U+2028 and U+2029 are line ends to some readers of scripts, never to JSON
    const json = JSON.stringify({ call, ask: question }).replace(/[\u2028\u2029]/g, (one) =>
      one === "\u2028" ? "\\u2028" : "\\u2029"
    )
    const command = yield* commandOf(place)
    const ran = yield* connection.run(command, `globalThis.rbeeAsk=${json};\n${programText()}`, onStderr)
    const line = ran.stdout.split("\n").findLast((one) => one.startsWith(answerMark))
    if (line === undefined) {
      // sshd may close a channel whose program was not read to its end before it tells how the command ended: with
      // nothing to read it tells that
      const { code } = ran.code === undefined ? yield* connection.run(command, "") : ran
      return yield* noAnswer(place, { ...ran, code })
    }
    const answer = yield* decoder(Line)(line.slice(answerMark.length)).pipe(
      Effect.mapError(() => notUnderstood(place, call))
    )
    if ("refusal" in answer) {
      const { code, what, todo } = answer.refusal
      return yield* told(rbeeError(isErrorCode(code) ? code : "SSH_FAILED", `${place.host}: ${what}`, todo))
    }
    // the schema of this very call
    const schema = questions[call] as Schema.Schema<Answer<C>>
    return yield* decoder(schema)(answer.value).pipe(Effect.mapError(() => notUnderstood(place, call)))
  })

const notUnderstood = (place: SshPlace, call: Call) =>
  rbeeError("SSH_FAILED", `what ${place.host} answered to ${call} is not understood`, "Report this")

const noAnswer = (place: SshPlace, { code, stderr }: Ran): RbeeError<"NODE_MISSING" | "SSH_FAILED"> => {
  const words = stderr.trim().split("\n").slice(-2).join(" ").slice(0, 300)
  if (code === commandNotFound || code === 126)
    return rbeeError(
      "NODE_MISSING",
      `Node was not found on ${place.host}`,
      `Install Node ${minimumNode} or later there, or say where it is: rbee hives add … --node /path/of/node`
    )
  return rbeeError(
    "SSH_FAILED",
    `a command ended on ${place.host} without an answer (exit code ${code ?? "unknown"}${words === "" ? "" : `: ${words}`})`,
    "Check that this works: ssh … node --version"
  )
}
