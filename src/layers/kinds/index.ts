/** The kinds of workers that there are (machines/kinds); those of this version, unless somebody provides others. */
import * as Context from "effect/Context"
import type { WorkerKinds } from "../../machines/kinds/kind.ts"
import { workerKinds } from "../../machines/kinds/index.ts"

export class Kinds extends Context.Reference<Kinds>()("rbee/Kinds", {
  defaultValue: (): WorkerKinds => workerKinds
}) {}
