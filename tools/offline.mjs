/**
 * `node tools/offline.mjs PROGRAM [ARG...]`: runs a program of node where nothing can be reached but this machine, a
 * network namespace with a loopback and no more, and tells it by RBEE_OFFLINE. Where the kernel does not allow that, the
 * program runs as it is, and that is said.
 */
import { spawn, spawnSync } from "node:child_process"

const ways = [["-n"], ["-r", "-n"]]
const raised = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
const way = ways.find((flags) => spawnSync("unshare", [...flags, ...raised, "true"]).status === 0)
if (way === undefined) process.stderr.write("not offline: no network namespace can be made here\n")

const program = [process.execPath, ...process.argv.slice(2)]
const [command, ...args] = way === undefined ? program : ["unshare", ...way, ...raised, ...program]
const env = way === undefined ? process.env : { ...process.env, RBEE_OFFLINE: "1" }
spawn(command, args, { stdio: "inherit", env }).once("close", (code) => {
  process.exitCode = code ?? 1
})
