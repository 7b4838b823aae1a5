/** A Dockerfile, read as far as ours goes, and a root that is empty but for the system's own programs, in which it runs. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"

export interface Stage {
  readonly image: string
  /** [instruction, its arguments], in order */
  readonly steps: ReadonlyArray<readonly [name: string, text: string]>
}

export const stagesOf = (file: string): ReadonlyArray<Stage> => {
  const lines = readFileSync(file, "utf8")
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "")
  const stages: Array<{ image: string; steps: Array<readonly [string, string]> }> = []
  for (const line of lines) {
    const [, name = "", text = ""] = /^([A-Z]+) (.*)$/.exec(line) ?? []
    if (name === "FROM") stages.push({ image: text.split(" ")[0] ?? "", steps: [] })
    else stages.at(-1)?.steps.push([name, text])
  }
  return stages
}

export const allOf = (stage: Stage | undefined, wanted: string): ReadonlyArray<string> =>
  (stage?.steps ?? []).flatMap(([name, text]) => (name === wanted ? [text] : []))

export const environmentOf = (stage: Stage | undefined): Record<string, string> =>
  Object.fromEntries(
    allOf(stage, "ENV").flatMap((text) =>
      text.split(/\s+/).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)] as const)
    )
  )

/** `["rbee", "up"]` */
export const wordsOf = (text: string | undefined): ReadonlyArray<string> => {
  const words: unknown = JSON.parse(text ?? "[]")
  return Array.isArray(words) ? words.map(String) : []
}

/** Tried, not guessed, as for network namespaces. */
export const hasRoots =
  spawnSync("unshare", ["--mount", "--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"]).status === 0

const links = ["bin", "lib", "lib64", "sbin"]
const system = ["usr", "etc", "dev"]

export interface Process {
  readonly env: Record<string, string>
  /** `1000:1000` */
  readonly user: string
}

/**
 * A root in `folder` that has of this machine its programs and its network alone, and `binds`: {a folder here: where it
 * lies there}. Whatever runs in it ends with the command.
 */
export const makeRoot = (folder: string, binds: Readonly<Record<string, string>>) => {
  const makeFolder = (path: string) => mkdirSync(join(folder, path), { recursive: true })
  for (const path of [...system, "proc", "tmp", ...Object.values(binds)]) makeFolder(path)
  for (const name of links) symlinkSync(`usr/${name}`, join(folder, name))
  const mounts = [
    ...system.map((name) => `mount --rbind /${name} "$ROOT/${name}"`),
    ...Object.entries(binds).map(([from, to]) => `mount --bind '${from}' "$ROOT${to}"`),
    'mount -t proc proc "$ROOT/proc"'
  ]
  return {
    /** its process is number 1 there, as in a container */
    start: (command: ReadonlyArray<string>, { env, user }: Process) => {
      const become = `exec chroot --userspec=${user} "$ROOT" /usr/bin/env -i "$@"`
      const words = Object.entries(env).map(([name, value]) => `${name}=${value}`)
      const script = ["sh", "-ec", [...mounts, become].join("\n"), "sh", ...words, ...command]
      return spawn("unshare", ["--mount", "--pid", "--fork", "--kill-child", ...script], {
        env: { PATH: process.env["PATH"] ?? "", ROOT: folder },
        stdio: ["ignore", "pipe", "pipe"]
      })
    }
  }
}

/** As `docker stop` does: number 1 is asked to end. */
export const stop = (started: ChildProcess): void => {
  const [child = ""] = readFileSync(`/proc/${started.pid}/task/${started.pid}/children`, "utf8").split(" ")
  process.kill(Number(child), "SIGTERM")
}
