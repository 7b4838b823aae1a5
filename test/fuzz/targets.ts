/** What is fuzzed, the cheap ones first. */
import type { Target } from "./target.ts"
import { cli } from "./targets/cli.ts"
import { config } from "./targets/config.ts"
import { gguf } from "./targets/gguf.ts"
import { hive } from "./targets/hive.ts"
import { http } from "./targets/http.ts"
import { hub } from "./targets/hub.ts"
import { model } from "./targets/model.ts"
import { sqlite } from "./targets/sqlite.ts"
import { worker } from "./targets/worker.ts"

export const targets: ReadonlyArray<Target> = [gguf, config, hub, sqlite, http, hive, worker, model, cli]
