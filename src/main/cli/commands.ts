/** All commands of `rbee`, as they are declared to the parser, the help and the shells' completions. */
import { chat, infer } from "./commands/infer-command.ts"
import { asOllama } from "./declared/as-ollama.ts"
import { clusterCommands, queenCommands } from "./declared/cluster.ts"
import { hiveCommands } from "./declared/hives.ts"
import { jobCommands, workerCommands } from "./declared/jobs.ts"
import { modelCommands } from "./declared/models.ts"
import { serviceCommands } from "./declared/service.ts"
import { toolCommands } from "./declared/tools.ts"
import { engineCommands } from "./engines/commands.ts"
import { peopleCommands } from "./people/commands.ts"
import type { Declared } from "./spec.ts"

/** In the order of the help. */
export const commands: ReadonlyArray<Declared> = [
  infer,
  chat,
  ...clusterCommands,
  ...asOllama,
  ...queenCommands,
  ...hiveCommands,
  ...workerCommands,
  ...modelCommands,
  ...engineCommands,
  ...jobCommands,
  ...peopleCommands,
  ...serviceCommands,
  ...toolCommands
]
