/**
 * Holds V8 back while a program starts. What a start runs it runs once, and yet enough of it is hot that V8's threads
 * optimize it, and mark a heap that only grows: a quarter of the CPU that a queen takes until she listens, for code that
 * is not run again. What is still hot afterwards is optimized then.
 *
 * Only after the program was loaded: Node's own modules are compiled beforehand for V8's flags as they were, and so is
 * what `start.ts` keeps. Whoever gives flags to Node has the last word: then nothing is held back.
 */
import { setFlagsFromString } from "node:v8"

/** milliseconds; a first answer from nothing running takes about one */
const startMs = 2000
const held = ["opt", "incremental-marking"] as const

const hasFlagsOfItsOwn = (): boolean => process.execArgv.length > 0 || process.env.NODE_OPTIONS !== undefined

/** Returns what ends it sooner, as before V8 is asked for what it compiled. */
export const holdBack = (): (() => void) => {
  if (hasFlagsOfItsOwn()) return () => {}
  for (const flag of held) setFlagsFromString(`--no-${flag}`)
  const release = () => {
    for (const flag of held) setFlagsFromString(`--${flag}`)
  }
  setTimeout(release, startMs).unref()
  return release
}
