/**
 * Every knob of the cluster, with unit and default. `src/main/config.ts` reads them (flag > environment > file >
 * default); everybody else gets them from this tag. Times are milliseconds.
 */
import * as Context from "effect/Context"
import type { GpuSetting } from "../../machines/vocabulary/device.ts"
import type { KvType } from "../../machines/vocabulary/common.ts"
import type { ExactWish } from "../../machines/vocabulary/worker.ts"
import type { Home } from "../paths/index.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

/** Engines of this machine by their names: a program and its arguments. */
export type Engines = Readonly<Record<string, { readonly command: ReadonlyArray<string> | undefined }>>

export interface Settings {
  readonly home: Home
  readonly version: string
  /** a queen has started this hive: unclaimed, it is nobody's */
  readonly isWoken?: boolean
  readonly queen: {
    readonly host: string
    readonly port: number
    /** a second port for Ollama's clients; undefined: none */
    readonly ollamaPort: number | undefined
    /** origins whose pages may call what speaks to models, besides those of this machine */
    readonly origins: ReadonlyArray<string>
    /** names by which this machine may be called, besides its own */
    readonly hosts: ReadonlyArray<string>
    /** without jobs, keepers and hives in use the queen ends after this time */
    readonly idleMs: number
    /** jobs that may wait; one more is QUEUE_FULL */
    readonly queueMax: number
    /** cached capabilities of a hive are asked again after this time */
    readonly capabilitiesMs: number
    /** ended jobs are forgotten after this time */
    readonly retentionMs: number
    /** and beyond this many */
    readonly retentionJobs: number
    /** the ssh configuration instead of the user's own, as `ssh -F` */
    readonly sshConfig: string | undefined
    /** models are asked with the token alone, on loopback too; undefined: where somebody chose a token */
    readonly requireToken: boolean | undefined
    /** who comes from elsewhere speaks TLS by these files, of PEM; undefined: plain HTTP */
    readonly tlsCert: string | undefined
    readonly tlsKey: string | undefined
  }
  readonly hive: {
    readonly id: HiveId
    readonly host: string
    readonly port: number
    /** idle and out of use the hive ends after this time */
    readonly idleMs: number
    /** the same, when it was woken for a cold session, or nobody has ever asked for it */
    readonly idleColdMs: number
    readonly heartbeatMs: number
    /** without a heartbeat this long a hive is degraded, then lost */
    readonly lateMs: number
    readonly lostMs: number
    /** models that are fetched side by side; one more waits */
    readonly downloads: number
    /** stand-ins for GPUs that are not there, and caps on devices that are */
    readonly gpus: ReadonlyArray<GpuSetting>
    readonly vulkan: "auto" | "on" | "off"
    /** what puts its machine to sleep: a program and its arguments */
    readonly suspendCommand: ReadonlyArray<string>
    /** the queen that it joins by an invitation; undefined: this machine's */
    readonly queen: string | undefined
  }
  readonly worker: {
    /** first port tried; the next free one is taken */
    readonly portBase: number
    readonly slots: number
    /** tokens a slot; undefined: the usual one (policy/context.ts) */
    readonly context: number | undefined
    /** of the KV cache; a model that cannot have it gets f16 */
    readonly kvType: KvType
    readonly threads: number | undefined
    /** documented pacing; undefined: off */
    readonly maxTokensPerS: number | undefined
    /** an idle worker unloads after this time */
    readonly idleMs: number
    /** what slots held is kept in files of so many MB, of all workers of a hive; 0: it is not */
    readonly parkMb: number
    /** what it may cost that an answer which goes on elsewhere is the undisturbed one */
    readonly exact: ExactWish
    /** what was read for one account serves others */
    readonly sharePrefix: boolean
  }
  /** what the configuration of this machine says of engines; undefined: nothing */
  readonly engines?: Engines | undefined
  /** what a command runs where no model is named; undefined: the one that ships with rbee */
  readonly defaultModel?: string | undefined
  /** bearer token of this cluster; undefined in one process, and before a daemon has made one */
  readonly token: string | undefined
  /** draining ends, workers are killed, hives are killed: after this many milliseconds of a shutdown */
  readonly shutdown: { readonly drainMs: number; readonly workersMs: number; readonly hivesMs: number }
}

export class CurrentSettings extends Context.Tag("rbee/Settings")<CurrentSettings, Settings>() {}
