/** How many bytes lie in a folder: the only progress that npm lets us see. */
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"

/** Files that come and go meanwhile are not an error; their bytes are counted or not. */
export const folderBytes = async (folder: string): Promise<number> => {
  let total = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])) {
    if (!entry.isFile()) continue
    total += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0
    )
  }
  return total
}
