/**
 * How a command is declared: once, with its flags, words and examples. The parser (@effect/cli), the help and the
 * normal form of the arguments come from the same declaration.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { RbeeError } from "../../machines/errors.ts"
import type { Settings } from "../../layers/settings/index.ts"
import type { Terminal } from "../../layers/terminal/index.ts"

/** What every command gets: the settings, loaded, and the terminal. */
export interface Context {
  readonly settings: Settings
  /** why the user's own settings cannot be used: only a command that is `lenient` runs then, with the defaults */
  readonly trouble: RbeeError | undefined
  readonly terminal: Terminal["Type"]
  /** folder of the programs: dist/ */
  readonly programs: string
  /** `rbee COMMAND` as it has to be typed, with the settings that were given as flags */
  readonly typed: (command: string) => string
}

/** What completes a value: one of these, what there is of a kind, or what the shell itself knows. */
export type ValueKind =
  | ReadonlyArray<string>
  | "models"
  | "hives"
  | "devices"
  | "jobs"
  | "running-jobs"
  | "workers"
  | "ssh-hosts"
  | "files"
  | "folders"

export interface FlagSpec {
  readonly name: string
  readonly alias: string | undefined
  /** "NAME"; undefined: the flag takes no value */
  readonly placeholder: string | undefined
  readonly doc: string
  readonly values?: ValueKind
}
export interface Flag<out A> {
  readonly spec: FlagSpec
  readonly parser: Options.Options<A>
}

const named = <A>(parser: Options.Options<A>, alias: string | undefined): Options.Options<A> =>
  alias === undefined ? parser : Options.withAlias(parser, alias)

export const flag = (name: string, doc: string, alias?: string): Flag<boolean> => ({
  spec: { name, alias, placeholder: undefined, doc },
  parser: named(Options.boolean(name), alias)
})
export const text = (name: string, placeholder: string, doc: string, alias?: string): Flag<string | undefined> => ({
  spec: { name, alias, placeholder, doc },
  parser: Options.map(Options.optional(named(Options.text(name), alias)), Option.getOrUndefined)
})
export const texts = (name: string, placeholder: string, doc: string): Flag<ReadonlyArray<string>> => ({
  spec: { name, alias: undefined, placeholder, doc },
  parser: Options.repeated(Options.text(name))
})
/** A name of one kind of things; whether there is such a one is the queen's to say. */
export const id = <A extends string>(
  schema: Schema.Schema<A, string>,
  name: string,
  placeholder: string,
  doc: string
): Flag<A | undefined> => {
  const { spec, parser } = text(name, placeholder, doc)
  const accepts = Schema.is(schema)
  return {
    spec,
    parser: Options.mapEffect(parser, (value) => {
      if (value === undefined || accepts(value)) return Effect.succeed(value)
      return Effect.fail(ValidationError.invalidValue(HelpDoc.p(`--${name} takes no '${value.slice(0, 60)}'.`)))
    })
  }
}
/** The same flag, whose value a shell can complete. */
export const taking = <A>(values: ValueKind, { parser, spec }: Flag<A>): Flag<A> => ({
  spec: { ...spec, values },
  parser
})
export interface Takes {
  readonly alias?: string
  /** from and to, both included; absent: any number */
  readonly within?: readonly [from: number, to: number]
  readonly whole?: boolean
}
const whatIsTaken = ({ whole = false, within }: Takes): string => {
  const [from, to] = within ?? []
  const what = whole ? "a whole number" : "a number"
  if (from === undefined || to === undefined || Math.abs(from) > Number.MAX_SAFE_INTEGER) return what
  return to >= Number.MAX_SAFE_INTEGER ? `${what} from ${from}` : `${what} from ${from} to ${to}`
}
/** A finite decimal number, judged before anything is woken for it. */
export const number = (name: string, placeholder: string, doc: string, takes: Takes = {}): Flag<number | undefined> => {
  const { spec, parser } = text(name, placeholder, doc, takes.alias)
  const [from, to] = takes.within ?? [-Infinity, Infinity]
  const accepts = (value: number) =>
    Number.isFinite(value) && value >= from && value <= to && (takes.whole !== true || Number.isInteger(value))
  return {
    spec,
    parser: Options.mapEffect(parser, (value) => {
      if (value === undefined) return Effect.succeed(undefined)
      if (/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) && accepts(Number(value)))
        return Effect.succeed(Number(value))
      const problem = `--${name} takes ${whatIsTaken(takes)}, not '${value.slice(0, 60)}'.`
      return Effect.fail(ValidationError.invalidValue(HelpDoc.p(problem)))
    })
  }
}
/** of a list of lines, of megabytes: as many as one likes */
export const atLeast = (from: number): Takes => ({ whole: true, within: [from, Number.MAX_SAFE_INTEGER] })
export const port = (from: 0 | 1 = 1): Takes => ({ whole: true, within: [from, 65_535] })

export interface Words {
  readonly name: string
  readonly doc: string
  readonly min: number
  readonly max: number
  /** of the first */
  readonly values?: ValueKind
}
export const noWords: Words = { name: "", doc: "", min: 0, max: 0 }

type Flags = Readonly<Record<string, Flag<unknown>>>
export type Values<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer A> ? A : never }

export interface CommandSpec {
  /** ["hives", "start"] */
  readonly path: ReadonlyArray<string>
  readonly summary: string
  readonly examples: ReadonlyArray<string>
  readonly words: Words
  readonly flags: ReadonlyArray<FlagSpec>
  /** it runs where the settings cannot be used, too */
  readonly lenient?: boolean
}
/** The effect returns the exit code. */
export type Run = (context: Context) => Effect.Effect<number, RbeeError>
type Parsed = { readonly flags: { [x: string]: unknown }; readonly words: Array<string> }
export interface Declared {
  readonly spec: CommandSpec
  /** The command of @effect/cli; what it parsed goes to `then`. */
  readonly command: (
    then: (run: Run) => Effect.Effect<void, RbeeError>
  ) => Command.Command<string, never, RbeeError, Parsed>
}

/** `Options.all` of no options is a crash in @effect/cli 0.77 */
const nothing = Options.map(Options.none, (): { [x: string]: unknown } => ({}))

/** Declares a command. `run` is given the parsed flags and words; it imports what it needs when it is called. */
export const declare = <const F extends Flags>(
  declaration: Omit<CommandSpec, "flags" | "words"> & {
    readonly words?: Words
    readonly flags: F
    readonly run: (
      values: Values<F>,
      words: ReadonlyArray<string>,
      context: Context
    ) => Effect.Effect<number, RbeeError>
  }
): Declared => {
  const { path, summary, examples, words = noWords, flags, run, lenient = false } = declaration
  const entries = Object.entries(flags)
  const parsers = Object.fromEntries(entries.map(([key, one]) => [key, one.parser]))
  return {
    spec: { path, summary, examples, words, flags: Object.values(flags).map((one) => one.spec), lenient },
    command: (then) =>
      Command.make(
        path.at(-1) ?? "",
        {
          flags: entries.length === 0 ? nothing : Options.all(parsers),
          words: Args.repeated(Args.text({ name: words.name || "argument" }))
        },
        (parsed: Parsed) => {
          // the parsers of `flags` gave these values, key by key
          const values = parsed.flags as Values<F>
          return then((context) => run(values, parsed.words, context))
        }
      ).pipe(Command.withDescription(summary))
  }
}
