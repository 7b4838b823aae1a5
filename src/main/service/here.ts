/** Whose service it would be, and where that one's settings are. */
import { userInfo } from "node:os"
import { join } from "node:path"
import type { Place } from "./service.ts"

export const here = (): Place => {
  const { homedir, uid, username } = userInfo()
  const userHome = process.env["HOME"] ?? homedir
  return { userHome, configHome: process.env["XDG_CONFIG_HOME"] || join(userHome, ".config"), uid, user: username }
}
