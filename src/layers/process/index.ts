/**
 * Operating system processes, known by pid AND start time, so that a reused pid is never taken for the process that
 * had it before. Never by name. Implementation: `node.ts`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import type { RefusalCode } from "./start-error.ts"

/** `start` is the kernel's own start time of the process, opaque; equal only for the same process of the same boot. */
export interface ProcessId {
  readonly pid: number
  readonly start: string
}

/** Bytes of memory that a process has. */
export interface ProcessMemory {
  /** in all, with the pages of the files that it maps */
  readonly resident: number
  /** without those, which the kernel can take back; where the system does not tell, all of it */
  readonly own: number
}

export interface ExitStatus {
  readonly code: number | undefined
  readonly signal: string | undefined
}

/** A child that dies with its owner: its stdin is a leash, and closing the scope ends its process group. */
export interface Child {
  readonly id: ProcessId
  /** completes once, when the process is gone and its pipes are drained */
  readonly exit: Effect.Effect<ExitStatus>
  /** the last lines it wrote to stderr */
  readonly lastWords: () => string
}

export interface ChildOptions {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** stderr is also appended to this file */
  readonly logFile?: string
  /** whole lines that the child writes to file descriptor 3 */
  readonly onControlLine?: (line: string) => void
  /** it reads what strangers made: it can gain no rights that we have not, by a setuid program or otherwise */
  readonly confined?: boolean
  /** written to file descriptor 3 at its start, with a line break: what neither arguments nor environment should tell */
  readonly firstLine?: string
  /** after SIGTERM to the group this many milliseconds pass before SIGKILL */
  readonly graceMs: number
}

/** descriptor of the control pipe in a child */
export const controlFd = 3

export interface DaemonOptions {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  /** stdout and stderr go there */
  readonly logFile: string
}

export class Processes extends Context.Tag("rbee/Processes")<
  Processes,
  {
    /** A child in a process group of its own; closing the scope ends the group (SIGTERM, then SIGKILL) and waits. */
    readonly spawn: (options: ChildOptions) => Effect.Effect<Child, RbeeError<"WORKER_START_FAILED">, Scope.Scope>
    /** A daemon in a session of its own, which outlives its parent. `exit` is only seen while the parent lives. */
    readonly daemon: (
      options: DaemonOptions
    ) => Effect.Effect<
      { readonly id: ProcessId; readonly exit: Effect.Effect<ExitStatus> },
      RbeeError<"INTERNAL" | RefusalCode>
    >
    /** this very process */
    readonly self: ProcessId
    /** whose pid this is now; undefined when there is none (a zombie counts as none) */
    readonly identify: (pid: number) => Effect.Effect<ProcessId | undefined>
    /** is exactly this process alive? */
    readonly alive: (id: ProcessId) => Effect.Effect<boolean>
    /** Ends exactly this process and its group: SIGTERM, `graceMs`, SIGKILL; returns when it is gone. */
    readonly end: (id: ProcessId, graceMs: number) => Effect.Effect<void>
    /** who listens on a TCP port of this machine, in words, if it can be known ("pid 1234 (nginx)") */
    readonly portOwner: (port: number) => Effect.Effect<string | undefined>
    /** undefined when it is gone; `isFamily`: with the processes that it has started, where the system tells of them */
    readonly memory: (id: ProcessId, isFamily?: boolean) => Effect.Effect<ProcessMemory | undefined>
  }
>() {}
