/** A worker (worker.mjs) as the program sees it: started when it is needed, ended when it answers no more. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

export class Tests {
  #child
  #room

  constructor(room) {
    this.#room = room
  }

  /** The files as they ended, or `"timeout"`: then the process was ended. */
  async run(order, limitMs) {
    this.#child ??= await this.#start()
    const child = this.#child
    return new Promise((done, fail) => {
      const end = (answer) => {
        clearTimeout(timer)
        child.removeAllListeners()
        if (answer.files !== undefined) return done(answer.files)
        this.stop()
        if (answer.broken === undefined) done("timeout")
        else fail(new Error(answer.broken))
      }
      const timer = setTimeout(() => end({}), limitMs)
      child.once("message", end)
      // a change may end the whole process, which no test outlives
      child.once("exit", () => end({}))
      child.send(order)
    })
  }

  stop() {
    this.#child?.kill("SIGKILL")
    this.#child = undefined
  }

  #start() {
    return new Promise((done, fail) => {
      const child = fork(fileURLToPath(new URL("worker.mjs", import.meta.url)), [JSON.stringify(this.#room)], {
        env: { ...process.env, CI: "1" },
        stdio: ["ignore", "ignore", "inherit", "ipc"]
      })
      child.once("exit", (code) => fail(new Error(`the tests' process ended with ${code}`)))
      child.once("message", () => {
        child.removeAllListeners()
        done(child)
      })
    })
  }
}
