/**
 * How a hive brings a worker to life. `process.ts` starts the worker program with a control pipe on descriptor 3;
 * `src/main/cluster/worker-launcher.ts` runs the same worker actor in this process.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import type { LearnedDialect } from "../../machines/dialect/dialect.ts"
import type { Backend } from "../../machines/vocabulary/device.ts"
import type { KvType } from "../../machines/vocabulary/common.ts"
import type { ControlMessage, Exactness } from "../../machines/vocabulary/worker.ts"
import type { ParkingPlace } from "../parked/index.ts"
import type { ExitStatus, ProcessId } from "../process/index.ts"
import type { KindId } from "../../machines/vocabulary/kind.ts"
import type { WorkerId, ModelRef } from "../../machines/vocabulary/ids.ts"

/** exit code of a worker whose model could not be loaded: an expected failure, which it told (`failed`) */
export const loadFailedCode = 3

export interface WorkerPlan {
  readonly workerId: WorkerId
  /** fresh for every try */
  readonly instance: string
  /** whose engine it starts */
  readonly kind: KindId
  readonly backend: Backend
  /** binds the worker to one GPU: a CUDA UUID, or the number among Vulkan's devices */
  readonly gpuUuid?: string
  readonly modelPath: string
  /** canonical reference, for health and beats */
  readonly modelRef: ModelRef
  readonly context?: number
  readonly slots: number
  /** absent: f16 */
  readonly kvType?: KvType
  /** a file that makes tokens of images; absent: there are none */
  readonly projector?: string
  /** as an earlier process of this worker found it; absent: it finds out */
  readonly exactness?: Exactness
  /** how its model writes, as an earlier process learned it; of another template, or absent: it learns it */
  readonly learned?: LearnedDialect
  /** where it keeps what its slots held; absent: nowhere */
  readonly parking?: ParkingPlace
  /** first port tried; a taken one moves on by itself */
  readonly portHint: number
  /** folder of its runtime, when the hive installed it itself; or its program */
  readonly runtime?: string
  /** what the program is started with before what is ours */
  readonly runtimeArgs?: ReadonlyArray<string>
}

export interface RunningWorker {
  /** undefined in one process */
  readonly process: ProcessId | undefined
  /** completes once, when the worker is gone, however it went */
  readonly exit: Effect.Effect<ExitStatus>
  readonly lastWords: () => string
}

export class WorkerLauncher extends Context.Tag("rbee/WorkerLauncher")<
  WorkerLauncher,
  {
    /**
     * Starts a worker; what it says arrives at `onMessage` in order. Closing the scope ends it: SIGTERM, then SIGKILL
     * to its group, and waits until it is gone.
     */
    readonly launch: (
      plan: WorkerPlan,
      onMessage: (message: ControlMessage) => void
    ) => Effect.Effect<RunningWorker, RbeeError<"WORKER_START_FAILED">, Scope.Scope>
  }
>() {}
