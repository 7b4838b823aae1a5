/** Which texts a plain schema lets through. */
import { anything, type Automaton, both, ofLength, ofTexts, TooLarge } from "../automaton/automaton.ts"
import { automatonOfPattern, Unreadable } from "../automaton/pattern.ts"
import { Refusal } from "../refusal.ts"
import type { Place, Plain } from "./plain.ts"

export class Texts {
  private readonly known = new Map<string, Automaton>()

  /** Made once a pattern. */
  ofPattern({ path, schema: pattern }: Place): Automaton {
    const known = this.known.get(String(pattern))
    if (known !== undefined) return known
    const made = this.guarded(path, String(pattern), () => automatonOfPattern(String(pattern)))
    this.known.set(String(pattern), made)
    return made
  }

  /** Undefined: only their length counts. */
  of(plain: Plain): Automaton | undefined {
    const { length, patterns } = plain
    const [first] = patterns
    if (first === undefined) return undefined
    return this.guarded(first.path, String(first.schema), () => {
      let all = patterns.map((one) => this.ofPattern(one)).reduce(both)
      if (length.min > 0 || length.max !== undefined) all = both(all, ofLength(length.min, length.max))
      return all
    })
  }

  /** With its length, and of values only those. */
  whole(plain: Plain): Automaton {
    const { length, path, values } = plain
    return this.guarded(path, "", () => {
      const all =
        this.of(plain) ?? (length.min > 0 || length.max !== undefined ? ofLength(length.min, length.max) : anything)
      return values === undefined ? all : both(all, ofTexts(values.filter((one) => typeof one === "string")))
    })
  }

  guarded<A>(path: string, pattern: string, make: () => A): A {
    try {
      return make()
    } catch (cause) {
      if (cause instanceof Unreadable)
        throw new Refusal(path, `the pattern ${pattern} is not supported (${cause.message})`, "pattern")
      if (cause instanceof TooLarge) throw new Refusal(path, "it is too large to be a grammar", "pattern")
      throw cause
    }
  }
}
