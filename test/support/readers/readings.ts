/** Answers of a real cluster as they are read over each surface, and whoever of its processes is struck meanwhile. */
import { callsOf, type Heard, textOf } from "../../../src/simulator/clients/heard.ts"
import type { Asked } from "../../../src/simulator/clients/surfaces.ts"
import { eventually, type Machine, type Proc } from "../machine.ts"
import { type HeardJob, listen, type Reader, silence } from "./surfaces.ts"

export type { Asked }

export interface Reading {
  readonly surface: Reader
  readonly heard: HeardJob
  readonly end: Promise<"ended" | "broke">
}

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

  async open(surface: Reader, asked: Asked): Promise<Reading> {
    const heard = silence()
    return { surface, heard, end: listen(surface, await surface.open(this.machine, asked, heard), heard) }
  }

  /** Undisturbed. */
  async whole(surface: Reader, asked: Asked): Promise<HeardJob> {
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
export const meaning = (heard: Heard) => ({
  content: textOf(heard, "content"),
  reasoning: textOf(heard, "reasoning"),
  ends: heard.ends,
  wrongs: heard.wrongs,
  calls: callsOf(heard).map(({ arguments: text, name, told }) => ({
    name,
    told,
    arguments: JSON.parse(text) as object
  }))
})
