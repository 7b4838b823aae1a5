/** Clients as their users run them: a home of their own, nothing of ours in the environment, no news from their makers. */
import { spawn } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { ScriptedCluster } from "../support/scripted/cluster.ts"
import { recipe, write } from "./recipes.ts"

const here = fileURLToPath(new URL(".", import.meta.url))
const packages = join(here, "node_modules")

/** `npm run proof -- clients` installs them; nobody else pays for a gigabyte of other people's programs. */
export const areInstalled = existsSync(packages)

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Home {
  readonly home: string
  /** where the client stands */
  readonly project: string
}

export const makeHome = (): Home => {
  // not directly in the temporary folder: one of them refuses to keep programs there
  const home = mkdtempSync(join(tmpdir(), "rbee-client-"))
  const project = join(home, "project")
  mkdirSync(project)
  return { home, project }
}

/** Anthropic's package puts its program in place when it is installed, which npm does not let it do everywhere. */
const withClaude = (home: string): string => {
  const folder = join(home, "bin")
  const wrapper = join(packages, "@anthropic-ai/claude-code/cli-wrapper.cjs")
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "claude"), `#!/bin/sh\nexec "${process.execPath}" "${wrapper}" "$@"\n`)
  chmodSync(join(folder, "claude"), 0o755)
  return folder
}

/** Runs a line of a shell with these arguments after it. */
export const shell = (
  { home, project }: Home,
  line: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const path = [withClaude(home), join(packages, ".bin"), dirname(process.execPath), "/usr/bin", "/bin"]
    const child = spawn("bash", ["-c", `${line.trim()} "$@"`, "client", ...args], {
      cwd: project,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 150_000,
      killSignal: "SIGKILL",
      env: { HOME: home, PATH: path.join(delimiter), LANG: "C.UTF-8", ...env }
    })
    let [stdout, stderr] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, stdout, stderr }))
  })

/** Runs the page's program of this name, with what its user says. */
export const program = async (
  cluster: Pick<ScriptedCluster, "model" | "queenUrl">,
  name: string,
  ...args: ReadonlyArray<string>
): Promise<Ran> => {
  // beside the packages, from where they are found
  const file = join(here, ".run", `${name}-${process.pid}.mjs`)
  write(file, recipe("js", name, cluster))
  return shell(makeHome(), `node ${JSON.stringify(file)}`, args)
}
