/** `[engines.NAME]` of a machine's configuration: how an engine is started there. Never said over the wire. */
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"

const Word = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(4096))
const Words = Schema.Array(Word).pipe(Schema.minItems(1), Schema.maxItems(256))

export const EngineEntry = Schema.Struct({
  /** a program: by its path, or as the path of programs has it */
  command: Schema.optional(Schema.Union(Word, Words))
})
export type EngineEntry = typeof EngineEntry.Type

export const engineFields = Struct.keys(EngineEntry.fields)

/** A program and its arguments; one word is a program alone. */
export const commandOf = ({ command }: EngineEntry): ReadonlyArray<string> | undefined =>
  typeof command === "string" ? [command] : command
