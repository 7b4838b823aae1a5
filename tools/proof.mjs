/**
 * `npm run proof [-- NAME...] [--minutes N] [--list]`: runs the long proofs whole, one after another, and says of each
 * how long it took and whether it held. Exit code 1 when one did not.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { listed, proofs } from "./proofs.mjs"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

const usage = () => {
  process.stderr.write(`usage: npm run proof [-- NAME...] [--minutes N] [--list]\n\n${listed}\n`)
  process.exit(2)
}
const options = () => {
  try {
    return parseArgs({ allowPositionals: true, options: { list: { type: "boolean" }, minutes: { type: "string" } } })
  } catch {
    return usage()
  }
}
const { positionals, values } = options()
const minutes = values.minutes === undefined ? undefined : Number(values.minutes)
if (minutes !== undefined && !(minutes > 0)) usage()
if (positionals.some((name) => proofs.every((proof) => proof.name !== name))) usage()

const holds = ([, ...args]) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: "inherit", env: { ...process.env, RBEE_PROOF: "1" } })
    child.once("close", (code) => resolve(code === 0))
  })

/** Every step is run, also after one that failed: a proof of hours says all that it found. */
const prove = async ({ steps }) => {
  let isHeld = true
  for (const step of steps({ minutes })) isHeld = (await holds(step)) && isHeld
  return isHeld
}

const run = async () => {
  const lines = []
  let failed = 0
  for (const proof of proofs.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    const began = performance.now()
    const isHeld = await prove(proof)
    if (!isHeld) failed++
    const took = ((performance.now() - began) / 60_000).toFixed(1)
    lines.push(`${proof.name.padEnd(9)} ${took.padStart(5)} min  ${isHeld ? "ok" : "failed"}`)
    process.stdout.write(`\n${lines.join("\n")}\n\n`)
  }
  process.exitCode = failed === 0 ? 0 : 1
}

if (values.list) process.stdout.write(`${listed}\n`)
else await run()
