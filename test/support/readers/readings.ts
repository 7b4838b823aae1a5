/** Answers of a real cluster as they are read over each surface, and whoever of its processes is struck meanwhile. */
import { eventually, type Machine, type Proc } from "../machine.ts"
import { type Asked, type Heard, listen, nothing, type Surface } from "./surfaces.ts"

export interface Reading {
  readonly surface: Surface
  readonly heard: Heard
  readonly end: Promise<"ended" | "broke">
}

export type Question = Omit<Asked, "fetch" | "queenUrl">

/** A job as the queen shows it. */
export interface Job {
  readonly job_id: string
  readonly state: string
  readonly tokens: number
  readonly failovers: number
}

export class Readings {
  readonly machine: Machine

  constructor(machine: Machine) {
    this.machine = machine
  }

  async open(surface: Surface, asked: Question): Promise<Reading> {
    const { fetch, queenUrl } = this.machine
    const heard = nothing()
    return { surface, heard, end: listen(surface, await surface.open({ fetch, queenUrl, ...asked }, heard), heard) }
  }

  /** Undisturbed. */
  async whole(surface: Surface, asked: Question): Promise<Heard> {
    const { end, heard } = await this.open(surface, asked)
    if ((await end) === "broke") throw new Error(`it broke: ${JSON.stringify(heard)}`)
    return heard
  }

  /** The rest of a reading that broke, into what was heard before; undefined: its surface has no such thing. */
  goOn({ heard, surface }: Reading): Promise<"ended" | "broke"> | undefined {
    const at = heard.id === "" ? undefined : surface.after?.(heard)
    if (at === undefined) return undefined
    const { path, ...init } = at
    return this.fetch(path, init).then((reply) => listen(surface, reply, heard))
  }

  async jobs(): Promise<ReadonlyArray<Job>> {
    return (await this.fetch("/jobs")).json() as Promise<ReadonlyArray<Job>>
  }

  /** Kills the one process of this role, and waits until the worker is gone too, where that takes it along. */
  async kill(role: Proc["role"]): Promise<void> {
    const worker = this.only("worker")
    process.kill(this.only(role), "SIGKILL")
    if (role !== "queen") await eventually(() => !this.pidsOf("worker").includes(worker), "the worker is gone")
  }

  /** A worker that is killed again and again is given up: each has its own. */
  async stopWorkers(): Promise<void> {
    const workers = (await (await this.fetch("/workers")).json()) as ReadonlyArray<{ readonly id: string }>
    for (const { id } of workers) await this.fetch(`/workers/${id}/shutdown`, { method: "POST", body: "{}" })
  }

  private fetch(path: string, init?: RequestInit): Promise<Response> {
    return this.machine.fetch(`${this.machine.queenUrl}${path}`, init)
  }

  private pidsOf(role: Proc["role"]): ReadonlyArray<number> {
    return this.machine.processes().flatMap((each) => (each.role === role ? [each.pid] : []))
  }

  private only(role: Proc["role"]): number {
    const [pid, ...others] = this.pidsOf(role)
    if (pid === undefined || others.length > 0)
      throw new Error(`not one ${role}, but ${pid === undefined ? 0 : others.length + 1}`)
    return pid
  }
}

/** What every reader is to hear, but for what names the answer. */
export const meaning = ({ calls, content, ends, reasoning, wrongs }: Heard) => ({
  content,
  reasoning,
  ends,
  wrongs,
  calls: calls.flatMap(({ arguments: text, name, told }) => [{ name, told, arguments: JSON.parse(text) as object }])
})
