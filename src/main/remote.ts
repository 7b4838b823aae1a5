/**
 * What runs on a remote machine besides the daemons: one question of the queen, answered by one line on stdout. She
 * sends this program with each question, so that it is always of her version; `node` reads it from its input.
 */
import { end, start } from "../layers/remote/program/hives.ts"
import { discard, incoming } from "../layers/remote/program/incoming.ts"
import { install } from "../layers/remote/program/install.ts"
import { logs, look } from "../layers/remote/program/look.ts"
import { Refused } from "../layers/remote/program/refuse.ts"
import { uninstall, use } from "../layers/remote/program/versions.ts"
import { answerMark } from "../layers/remote/answer-mark.ts"
import type { Answer, Asks, Call } from "../layers/remote/questions.ts"

type Answers = { readonly [C in Call]: (ask: Asks[C]) => Answer<C> | Promise<Answer<C>> }
const answers: Answers = { look, start, end, logs, incoming, discard, install, use, uninstall }

/** put in front of this program by `ask.ts` */
declare const rbeeAsk: { readonly [C in Call]: { readonly call: C; readonly ask: Asks[C] } }[Call]

const answer = <C extends Call>(call: C, ask: Asks[C]): Promise<Answer<C>> => Promise.resolve(ask).then(answers[call])

answer(rbeeAsk.call, rbeeAsk.ask)
  .then((value) => ({ value }))
  .catch((error: unknown) => {
    if (error instanceof Refused) return { refusal: error.refusal }
    const what = error instanceof Error ? error.message : String(error)
    const full = error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")
    return full
      ? { refusal: { code: "DISK_FULL", what: `the disk is full there: ${what}`, todo: "Make room there" } }
      : { refusal: { code: "INTERNAL", what, todo: "" } }
  })
  .then((line) => process.stdout.write(`${answerMark}${JSON.stringify(line)}\n`, () => process.exit(0)))
