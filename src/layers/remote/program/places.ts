/** Where things are on a remote machine. `RBEE_HOME` overrides all folders there as everywhere. */
import { createHash } from "node:crypto"
import { isAbsolute, join } from "node:path"
import { homeOf, hiveFolder } from "../../paths/index.ts"
import { userHome } from "../../paths/user-home.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

const home = homeOf(process.env, userHome() ?? "/")

const dataFolder = (): string => {
  const own = process.env["RBEE_HOME"]
  if (own !== undefined && own !== "") return join(own, "install")
  const xdg = process.env["XDG_DATA_HOME"]
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(userHome() ?? "/", ".local", "share"), "rbee")
}

const root = dataFolder()

export const places = {
  state: home.state,
  logs: home.logs,
  /** everything that was installed */
  root,
  /** one folder a version, never changed once it is there */
  versions: join(root, "versions"),
  /** a link to the version in use */
  current: join(root, "current"),
  incoming: join(root, "incoming"),
  hive: (id: HiveId): string => hiveFolder(home, id),
  logOf: (id: HiveId): string => join(home.logs, `hive-${id}.log`),
  /** Short: a Unix socket's path has at most 107 bytes. One a queen and hive, so that two queens never share one. */
  socket: (queen: string, id: HiveId): string =>
    join(home.state, `q-${createHash("sha256").update(`${queen}/${id}`).digest("hex").slice(0, 12)}.sock`),
  /** of an installed version */
  packageIn: (folder: string): string => join(folder, "node_modules", "rbee")
}
