/** The thread that makes grammars of schemas: it answers what it is asked, one after the other. */
import { parentPort } from "node:worker_threads"
import { answerTo, type Question } from "../layers/grammars/questions.ts"

parentPort?.on("message", (question: Question) => parentPort?.postMessage(answerTo(question)))
