/** The `rbee` command. What only asks for the version loads nothing else. */
import "./working-folder.ts"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"

const args = process.argv.slice(2)
const version = process.env.RBEE_BUILD_VERSION

const end = (code: number) => {
  process.exitCode = code
  // what is still open (a kept connection) must not hold the shell; what was written must be out
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)))
}

if (version !== undefined && args.length === 1 && ["--version", "-v", "-V", "version"].includes(args[0] ?? "")) {
  process.stdout.write(`${version}\n`)
} else {
  const programs = dirname(fileURLToPath(import.meta.url))
  const [first, ...rest] = args
  // a shell asks at each Tab
  const run =
    first === "__complete"
      ? import("./cli/completions/answer.ts").then(({ answer }) => answer(rest, programs))
      : import("./cli/main.ts").then(({ main }) => main(args, programs))
  void run.then(end)
}
