/** A worker that says and answers anything: what a broken or taken over engine could do to its hive and its queen. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as Either from "effect/Either"
import { SeededRandom } from "../../src/simulator/world/kernel/random.ts"
import { readArgument } from "../../src/main/worker/argument.ts"
import { holdLeash, openControl } from "../../src/main/worker/control.ts"
import { anything, mutated, mutatedText } from "./mutate.ts"

const argument = readArgument(process.argv[2])
if (Either.isLeft(argument)) throw new Error(argument.left)
const { controlFd = 3, plan } = argument.right
holdLeash()
const random = new SeededRandom(Number.parseInt(plan.instance.replace(/\W/g, "").slice(-6), 36) || process.pid)
const tell = openControl(controlFd)
// what is said here is wrong on purpose: the type is that of what is right
const say = (message: unknown): void => tell(message as Parameters<typeof tell>[0])

const frames =
  [0, 1, 2].map((i) => `event: token\ndata: {"i":${i},"t":" a","k":${i}}\n\n`).join("") +
  `event: done\ndata: {"tokens":3,"finish_reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":3,"cached_tokens":0}}\n\n`

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    const isEvents = (request.url ?? "").includes("/infer") && request.method !== "DELETE"
    if (random.chance(0.05)) return response.destroy()
    response.writeHead(random.chance(0.8) ? 200 : random.pick([200, 204, 302, 400, 404, 500, 503]), {
      ...(random.chance(0.9) ? { "x-infer-id": "i-1" } : {}),
      "content-type": isEvents ? "text/event-stream" : "application/json"
    })
    const body = isEvents ? (random.chance(0.3) ? frames : mutatedText(frames, random)) : "{}"
    return response.end(body)
  })
})
server.listen(0, "127.0.0.1", () => {
  // a server that listens on a port
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const right = [
    { t: "bound", port, url },
    { t: "loading", progress: 0.5 },
    { t: "ready", backend: "CPU", context: 512, slots: 4 },
    { t: "beat", busy: 0, tokens_out: 0, progress: 1, infers: [] }
  ]
  for (const message of right) {
    for (let noise = random.int(0, 5); noise > 0; noise--)
      say(random.chance(0.7) ? mutated(random.pick(right), random) : anything(random))
    if (random.chance(0.9)) say(message)
  }
  setInterval(() => {
    for (let noise = random.int(0, 20); noise > 0; noise--)
      say(random.chance(0.5) ? mutated(random.pick(right), random) : anything(random))
    say({ t: "beat", busy: 0, tokens_out: 0, progress: random.int(0, 1000), infers: [] })
    if (random.chance(0.02)) process.kill(process.pid, random.pick(["SIGKILL", "SIGABRT", "SIGSEGV"]))
  }, 100)
})
for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => process.exit(0))
