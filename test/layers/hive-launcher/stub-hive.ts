/**
 * A hive program of the smallest kind: binds, answers /health, writes its state file. What it does wrong is told by the
 * environment: STUB=early ends at once, STUB=slow takes a minute, STUB=mute binds and never writes its state file, STUB=late does so once there is a
 * file `go`. Where its address is taken it leaves
 * a file `refused` and ends with 75.
 */
import { appendFileSync, existsSync, mkdirSync, renameSync, watch, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { identityOf } from "../../../src/layers/process/identity.ts"

const { RBEE_HOME: home = "", RBEE_HIVE_ID: id = "", RBEE_HIVE_PORT: port, STUB: fault } = process.env
if (fault === "slow") {
  writeFileSync(join(home, "started.part"), String(process.pid))
  renameSync(join(home, "started.part"), join(home, "started"))
}
if (fault === "early") {
  process.stderr.write(`${JSON.stringify({ logLevel: "ERROR", message: "no disk left" })}\n`)
  process.exit(1)
}
const health = {
  status: "healthy",
  role: "hive",
  version: "test",
  id,
  instance: `hive-${process.pid}`,
  pid: process.pid,
  uptime_s: 1
}
const folder = join(home, `hive-${id}`)
let isKnown = false
const writeState = () => {
  mkdirSync(folder, { recursive: true })
  const state = { ...identityOf(process.pid), ...health, port: Number(port), url: `http://127.0.0.1:${port}` }
  writeFileSync(join(folder, "daemon.json"), JSON.stringify(state))
  isKnown = true
}
const server = createServer((_, answer) => {
  // as a daemon does that has bound its port and is still opening its stores
  if (!isKnown && fault !== "mute") return
  // nobody is answered while there is a file `silent`; who asked then is counted, a byte each
  if (existsSync(join(home, "silent"))) return appendFileSync(join(home, "asked"), ".")
  answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(health))
})
server.on("error", () => {
  writeFileSync(join(home, "refused"), "")
  process.exit(75)
})
const listen = () =>
  server.listen(Number(port), "127.0.0.1", () => {
    writeFileSync(join(home, "bound"), "")
    if (fault === "mute") return
    if (fault !== "late") return writeState()
    const seen = watch(home, () => {
      if (!existsSync(join(home, "go"))) return
      seen.close()
      writeState()
    })
  })
if (fault === "slow") setTimeout(listen, 60_000)
else listen()
