/** How queen and hive reach a worker. */
import * as Context from "effect/Context"
import type { WorkerApi } from "../../protocol/worker.ts"

/** How queen and hive reach a worker by its url; it knows them by a token that is its instance's own. */
export class WorkerConnector extends Context.Tag("rbee/WorkerConnector")<
  WorkerConnector,
  { readonly connect: (url: string, instance: string) => WorkerApi }
>() {}
