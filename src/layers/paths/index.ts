/**
 * Where things are kept (docs/design.md#what-is-kept-where): folders by XDG, `RBEE_HOME` overrides all. Folders are
 * made on first use with mode 0700. Pure functions of the home folder, so that every program agrees without asking.
 */
import { join } from "node:path"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

export interface Home {
  /** durable state: catalogs, journals, daemon state files, runtimes */
  readonly state: string
  /** `logs/queen.log`, `logs/hive-ID.log`, `logs/worker-ID.log` */
  readonly logs: string
  /** the config file */
  readonly config: string
}

/** `env` is the process environment; fails to find a home only if neither RBEE_HOME nor HOME nor a passwd entry is there. */
export const homeOf = (env: Readonly<Record<string, string | undefined>>, userHome: string): Home => {
  const own = env["RBEE_HOME"]
  if (own !== undefined && own !== "") return { state: own, logs: join(own, "logs"), config: join(own, "config.toml") }
  const state = join(env["XDG_STATE_HOME"] || join(userHome, ".local", "state"), "rbee")
  const config = join(env["XDG_CONFIG_HOME"] || join(userHome, ".config"), "rbee")
  return { state, logs: join(state, "logs"), config: join(config, "config.toml") }
}

export const queenFolder = (home: Home): string => join(home.state, "queen")
export const hiveFolder = (home: Home, hiveId: HiveId): string => join(home.state, `hive-${hiveId}`)
