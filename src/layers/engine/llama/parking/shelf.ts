/** The parked files that one worker may read, by the tokens that they begin with. Several workers share a folder. */
import { rename, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { filesIn, makeRoom, remove } from "../../../parked/folder.ts"
import { draftName, parkedName } from "../../../parked/names.ts"
import { isGenuine, readSealed, seal, type Sealed } from "./sealed.ts"

export interface Parked extends Sealed {
  readonly path: string
}

/** A file that a state is written to. */
export interface Draft {
  readonly path: string
  /** how often something had been forgotten when it was begun: what is forgotten meanwhile may be this */
  readonly forgets: number
}

export interface ShelfOptions {
  readonly folder: string
  /** what its files are sealed with */
  readonly key: string
  /** of all files in the folder */
  readonly maxBytes: number
  /** what computes */
  readonly identity: string
  /** a longer state serves for a shorter one, too */
  readonly canCut: boolean
  /** milliseconds since 1970 */
  readonly now: () => number
}

/** How many tokens both begin with. */
const common = (tokens: Uint32Array, wanted: ReadonlyArray<number>): number => {
  const end = Math.min(tokens.length, wanted.length)
  let n = 0
  while (n < end && tokens[n] === wanted[n]) n++
  return n
}

export class Shelf {
  private readonly options: ShelfOptions
  private parked: Array<Parked> = []
  private opening: Promise<void> | undefined
  private forgets = 0

  constructor(options: ShelfOptions) {
    this.options = options
  }

  /** Reads what is there, once. */
  open(): Promise<void> {
    // what cannot be read is not there
    return (this.opening ??= this.readAll().catch(() => undefined))
  }

  private async readAll(): Promise<void> {
    const { folder, identity } = this.options
    for (const file of await filesIn(folder)) {
      if (file.identity !== identity) continue
      const sealed = await readSealed(file.path, identity).catch(() => undefined)
      if (sealed === undefined || sealed.scope !== file.scope) await remove(file.path)
      else this.parked.push({ ...sealed, path: file.path })
    }
  }

  /** The one of this scope of which most can be used: `usable` says how much of a common prefix that is. */
  best(
    scope: string,
    wanted: ReadonlyArray<number>,
    usable: (parked: Sealed, prefix: number) => number
  ): { readonly parked: Parked; readonly prefix: number } | undefined {
    let best: { readonly parked: Parked; readonly prefix: number } | undefined
    for (const parked of this.parked) {
      if (parked.scope !== scope) continue
      const prefix = usable(parked, common(parked.tokens, wanted))
      if (prefix > (best?.prefix ?? 0)) best = { parked, prefix }
    }
    return best
  }

  /** May it be handed to llama.cpp? If not, it is deleted. */
  async check(parked: Parked): Promise<boolean> {
    const { identity, key, now } = this.options
    const isGood = await isGenuine(parked.path, identity, parked, key).catch(() => false)
    if (!isGood) await this.drop(parked)
    // the oldest go first, and this one was used
    else await utimes(parked.path, now() / 1000, now() / 1000).catch(() => undefined)
    return isGood
  }

  async drop(parked: Parked): Promise<void> {
    this.parked = this.parked.filter((one) => one !== parked)
    // where it cannot be, it is not used any more all the same
    await remove(parked.path).catch(() => undefined)
  }

  /** A file to write a state of about so many bytes to, which this user alone can read; undefined: there is no room. */
  async draft(bytes: number): Promise<Draft | undefined> {
    const { folder, maxBytes, now } = this.options
    if (!(await makeRoom(folder, bytes, maxBytes, now()))) return undefined
    const path = join(folder, draftName())
    await writeFile(path, "", { mode: 0o600, flag: "wx" })
    return { path, forgets: this.forgets }
  }

  /** The state in this draft is whole: from now on it can be found. What it has all of goes. */
  async put(draft: Draft, sealed: Sealed): Promise<void> {
    const { canCut, folder, identity, key } = this.options
    await seal(draft.path, identity, sealed, key)
    if (draft.forgets !== this.forgets) return remove(draft.path)
    const path = join(folder, parkedName(identity, sealed.scope))
    await rename(draft.path, path)
    const tokens = [...sealed.tokens]
    const isCovered = (one: Parked): boolean =>
      one.scope === sealed.scope && one.wide <= sealed.wide && common(one.tokens, tokens) === one.tokens.length
    if (canCut) for (const one of this.parked.filter(isCovered)) await this.drop(one)
    this.parked.push({ ...sealed, path })
  }

  discard(draft: Draft): Promise<void> {
    return remove(draft.path)
  }

  /** Forgets those of a scope, or all; their files are deleted by who asks for it. */
  forget(scope?: string): void {
    this.forgets++
    this.parked = scope === undefined ? [] : this.parked.filter((one) => one.scope !== scope)
  }
}
