/** npm, started by path and with arguments, never through a shell. */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"

/** npm's own program beside this Node, else the first `npm` of the path. */
export const npmCommand = (): { readonly command: string; readonly args: ReadonlyArray<string> } | undefined => {
  const own = join(dirname(process.execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js")
  if (existsSync(own)) return { command: process.execPath, args: [own] }
  const found = (process.env["PATH"] ?? "").split(delimiter).find((one) => one !== "" && existsSync(join(one, "npm")))
  return found === undefined ? undefined : { command: join(found, "npm"), args: [] }
}

/** Runs a program to its end; a failure has its last words. `node` is found first, whatever the login's path is. */
export const runToEnd = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly timeoutMs: number; readonly env?: Readonly<Record<string, string>> }
): Promise<string> =>
  new Promise((resolve, reject) => {
    const path = `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`
    execFile(
      command,
      [...args],
      {
        cwd: options.cwd,
        env: { ...process.env, ...options.env, PATH: path },
        timeout: options.timeoutMs,
        killSignal: "SIGKILL",
        maxBuffer: 16 * 1024 * 1024,
        encoding: "utf8"
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        const words = stderr.trim().split("\n").slice(-5).join(" ").slice(0, 500)
        reject(
          new Error(error.killed === true ? `no end within ${options.timeoutMs / 1000} s` : words || error.message)
        )
      }
    )
  })
