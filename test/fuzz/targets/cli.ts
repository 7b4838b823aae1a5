/** The command line with arguments that nobody should type: an answer, a usage, never a stack. */
import { openCluster } from "../cluster.ts"
import { mutatedText, text } from "../mutate.ts"
import { Finding, type Target } from "../target.ts"

const lines = [
  "status",
  "hives ls --json",
  "workers ls",
  "models ls",
  "models show minillama",
  "models show HF:a/b:Q4",
  "models pin minillama",
  "models rm file:/x.gguf",
  "models gc --max-mb 10 --dry-run",
  "jobs ls",
  "jobs show job-1",
  "jobs cancel job-1",
  "jobs rm job-1",
  "plan --model minillama",
  "infer --quiet --max-tokens 1 --model minillama hello",
  "infer --temperature 2 --top-k 1 --seed 3 --stop x --max-tokens 1 hi",
  "hives add x --host 127.0.0.1 --port 1 --user u",
  "logs queen",
  "completions bash",
  "help settings",
  "--version"
]
/** not tried: what runs until it is stopped, ends the daemons, or listens */
const forbidden = new Set(["down", "stop", "hub", "inspect", "simulate", "uninstall", "install", "open"])
const exits = new Set([0, 1, 2, 3, 130])

export const cli: Target = {
  name: "cli",
  parallel: 2,
  open: async () => {
    const { check, machine, peakMb } = await openCluster()
    return {
      one: async (random) => {
        const args = random
          .pick(lines)
          .split(" ")
          .map((word) => (random.chance(0.2) ? mutatedText(word, random) : word))
        if (random.chance(0.3)) args.splice(random.int(0, args.length), 0, text(random))
        if (random.chance(0.1)) args.pop()
        // what no shell can give a program
        const given = args.map((word) => Buffer.from(word.replaceAll("\0", "")).toString().slice(0, 100_000))
        if (given.some((word) => forbidden.has(word)) || given.includes("-f")) return 1
        const { code, stderr, stdout } = await machine.rbee(given, { limitMs: 40_000 }).catch((error: unknown) => {
          throw new Finding("hang", String(error).slice(0, 500))
        })
        const shown = `rbee ${JSON.stringify(given)} → ${code}: ${stderr.slice(-600)}`
        if (code === undefined || !exits.has(code)) throw new Finding("crash", shown)
        if (/bug in rbee|^\s+at .+:\d+:\d+\)?$/m.test(stderr + stdout)) throw new Finding("untyped", shown)
        return 1
      },
      check,
      peakMb,
      close: () => machine.dispose()
    }
  }
}
