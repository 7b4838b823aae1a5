/**
 * A machine is added step by step, each a call of the queen's: it is reached, looked at, rbee is put on it, its hive is
 * woken. Where a step fails it says why, and goes on from there; where ssh has a question, somebody answers it.
 */
import { call, callEvents, Refused, refusalIn, wordsOf } from "../kit/call.ts"
import { fields, maybeText, text } from "../kit/fields.ts"
import { hiveIn, machineLines } from "./read.ts"

export const stepNames = ["reach", "look", "install", "wake"] as const
export type StepName = (typeof stepNames)[number]

export interface Step {
  readonly name: StepName
  readonly state: "waiting" | "running" | "done" | "failed"
  readonly lines: ReadonlyArray<string>
  readonly problem?: string | undefined
}

/** What ssh would ask in a terminal. */
export type Question =
  | { readonly kind: "host key"; readonly words: string; readonly fingerprint: string }
  | { readonly kind: "passphrase"; readonly words: string; readonly file: string }

/** How ssh reaches it. */
export interface Place {
  readonly host: string
  readonly user?: string
  readonly port?: number
  readonly identity?: string
  readonly node?: string
  readonly hive_port: number
  readonly direct?: true
}

/** How a machine that sleeps is woken, and when it is put to sleep. */
export interface Power {
  readonly mac: string
  readonly sleep_after_s?: number
}

/** As `POST /hives` takes it. */
export interface Wanted {
  readonly ssh: Place
  readonly power?: Power
}

export const titles: Readonly<Record<StepName, string>> = {
  reach: "Reach it over ssh",
  look: "Look at the machine",
  install: "Put rbee on it",
  wake: "Wake its hive"
}

const questionIn = (error: unknown): Question | undefined => {
  if (!(error instanceof Refused)) return undefined
  const fingerprint = maybeText(error.facts["fingerprint"])
  if (error.code === "SSH_HOST_KEY_UNKNOWN" && fingerprint !== undefined)
    return { kind: "host key", words: error.message, fingerprint }
  const file = maybeText(error.facts["locked"])
  return file === undefined ? undefined : { kind: "passphrase", words: error.message, file }
}

export class Adding {
  steps: ReadonlyArray<Step>
  question: Question | undefined
  isRunning = false
  private readonly id: string
  /** undefined: it was added before */
  private readonly wanted: Wanted | undefined
  private readonly changed: () => void
  private hostKey: string | undefined
  private installed: string | undefined

  /** `changed`: what is shown is another now. */
  constructor(id: string, wanted: Wanted | undefined, changed: () => void) {
    this.id = id
    this.wanted = wanted
    this.changed = changed
    this.steps = stepNames
      .filter((name) => wanted !== undefined || name !== "reach")
      .map((name) => ({ name, state: "waiting", lines: [] }))
  }

  get isDone(): boolean {
    return this.steps.every(({ state }) => state === "done")
  }

  /** From the first step that is not done. */
  async run(): Promise<void> {
    if (this.isRunning) return
    this.isRunning = true
    this.question = undefined
    for (const { name, state } of this.steps) {
      if (state === "done") continue
      this.set(name, { state: "running", lines: [], problem: undefined })
      try {
        await this.perform(name)
        this.set(name, { state: "done" })
      } catch (error) {
        this.question = questionIn(error)
        this.set(name, { state: "failed", problem: wordsOf(error) })
        break
      }
    }
    this.isRunning = false
    this.changed()
  }

  /** The key is right, and goes on record. */
  trust(fingerprint: string): Promise<void> {
    this.hostKey = fingerprint
    return this.run()
  }

  async unlock(file: string, passphrase: string): Promise<void> {
    try {
      const answer = fields(await call("POST", "/ssh/unlock", { file, passphrase }))
      if (answer["opens"] === true) return await this.run()
      this.complain(`this passphrase does not open ${file}`)
    } catch (error) {
      this.complain(wordsOf(error))
    }
  }

  private complain(problem: string): void {
    const failed = this.steps.find(({ state }) => state === "failed")
    if (failed !== undefined) this.set(failed.name, { problem })
  }

  private set(name: StepName, changes: Partial<Step>): void {
    this.steps = this.steps.map((step) => (step.name === name ? { ...step, ...changes } : step))
    this.changed()
  }

  private tell(name: StepName, line: string): void {
    const lines = this.steps.find((step) => step.name === name)?.lines ?? []
    this.set(name, { lines: [...lines, line] })
  }

  private async perform(name: StepName): Promise<void> {
    const path = `/hives/${encodeURIComponent(this.id)}`
    switch (name) {
      case "reach": {
        const key = this.hostKey === undefined ? {} : { host_key: this.hostKey }
        await call("POST", "/hives", { id: this.id, ...this.wanted, ...key })
        return
      }
      case "look": {
        const machine = await call("POST", `${path}/check`)
        this.installed = maybeText(fields(machine)["installed"])
        for (const line of machineLines(machine)) this.tell(name, line)
        return
      }
      case "install":
        return this.install(path)
      case "wake": {
        const hive = hiveIn(fields(await call("POST", `${path}/start`)))
        for (const line of hive.devices) this.tell(name, line)
      }
    }
  }

  private async install(path: string): Promise<void> {
    const own = text(fields(await call("GET", "/health"))["version"])
    if (this.installed === own) return this.tell("install", `rbee ${own} is there already`)
    let failure: Refused | undefined
    let version: string | undefined
    await callEvents("POST", `${path}/install`, (event, data) => {
      if (event === "narration") this.tell("install", text(data["human"]))
      if (event === "done") version = text(data["version"])
      if (event === "error") failure = refusalIn(0, data)
    })
    if (failure !== undefined) throw failure
    if (version === undefined) throw new Error("the queen ended before the installation did: try again")
    this.installed = version
    this.tell("install", `rbee ${version} is installed`)
  }
}
