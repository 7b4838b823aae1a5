/** What is known of how a model writes: kept with its template, stored with a job. */
import * as Schema from "effect/Schema"

/** A part of a mark that is not the same in each call. `key`: an argument's, `index`: the call's, counted by the model. */
export const Hole = Schema.Struct({ hole: Schema.Literal("name", "id", "index", "key") })
export type Hole = (typeof Hole.Type)["hole"]

/** What stands between what is said. White space in it is as much or as little as the model likes. */
export const Mark = Schema.Array(Schema.Union(Schema.String, Hole))
export type Mark = typeof Mark.Type

const Path = Schema.Array(Schema.String)

/** `{"name": …, "arguments": {…}}`, alone or in a list. */
export const JsonForm = Schema.Struct({
  _tag: Schema.Literal("json"),
  list: Schema.Boolean,
  /** where the name stands; `key`: the object's only key is the name */
  name: Schema.Union(Path, Schema.Literal("key")),
  args: Path,
  /** they are a text that holds JSON */
  argsAsText: Schema.optional(Schema.Boolean),
  id: Schema.optional(Path)
})

/** A name, `mid`, and the arguments in JSON. */
export const NameJsonForm = Schema.Struct({ _tag: Schema.Literal("name_json"), mid: Mark })

/** A name, and each argument with marks of its own. */
export const ElementsForm = Schema.Struct({
  _tag: Schema.Literal("elements"),
  mid: Mark,
  /** what opens an argument; its key is a hole */
  open: Mark,
  /** what closes it, the white space before it included */
  close: Mark,
  separator: Schema.String,
  /** `raw`: as it is, up to what closes it; `literal`: as in a program, texts in quotes */
  values: Schema.Literal("raw", "literal"),
  /** quotes of its own, as `<|"|>` */
  quote: Schema.optional(Schema.Struct({ open: Schema.String, close: Schema.String })),
  /** each argument says whether it is a text: what stands before and after that word, and the word for a text */
  typed: Schema.optional(Schema.Struct({ before: Schema.String, after: Schema.String, text: Schema.String })),
  /** what is put around a text that holds marks */
  wrap: Schema.optional(Schema.Struct({ open: Schema.String, close: Schema.String }))
})
export type ElementsForm = typeof ElementsForm.Type
export type JsonForm = typeof JsonForm.Type

export const Form = Schema.Union(JsonForm, NameJsonForm, ElementsForm)
export type Form = typeof Form.Type

const Prompted = <A, I>(schema: Schema.Schema<A, I>) => Schema.Struct({ on: schema, off: schema, default: schema })

export const Tools = Schema.Struct({
  open: Mark,
  /** other openings that a model is known to write (`source` says why), with what then follows a name */
  also: Schema.optional(Schema.Array(Schema.Struct({ open: Mark, mid: Mark }))),
  /** between two calls of a section; absent: each call is opened anew */
  between: Schema.optional(Mark),
  /** the longest that is there ends a section */
  close: Schema.Array(Mark),
  form: Form,
  /** what of `open` the prompt has written already */
  carry: Prompted(Schema.String),
  /** false: the template says nothing of the tools that there are, so that the model cannot be told of them */
  told: Schema.optional(Schema.Boolean),
  parallel: Schema.Boolean,
  textBeside: Schema.Boolean,
  /** values have no type of their own: the tool's schema says it */
  needsSchema: Schema.Boolean,
  /** what does not come back as it was given */
  lossy: Schema.Array(Schema.String)
})
export type Tools = typeof Tools.Type

export const Reasoning = Schema.Struct({
  open: Schema.String,
  close: Schema.String,
  /** where it was seen: in an answer's render; in the prompt, and a render that leaves it out; in the prompt only */
  confirmed: Schema.Literal("render", "prompt", "convention"),
  /** whether the prompt has opened it, with thinking on, off and not spoken of */
  prompt: Prompted(Schema.Literal("open", "closed", "none")),
  /** the message's field that the template reads; absent: none */
  field: Schema.optional(Schema.String)
})
export type Reasoning = typeof Reasoning.Type

/** In which clothes the template wants a message that calls. */
export const Manner = Schema.Struct({
  arguments: Schema.Literal("object", "text"),
  content: Schema.Literal("empty", "null", "text")
})
export type Manner = typeof Manner.Type

export const Dialect = Schema.Struct({
  /** the head of a message that comes again inside an answer that is made of several */
  head: Schema.optional(Schema.String),
  content: Schema.Struct({
    open: Schema.optional(Schema.String),
    /** other openings (`source` says why) */
    also: Schema.optional(Schema.Array(Schema.String)),
    close: Schema.optional(Schema.String)
  }),
  reasoning: Schema.NullOr(Reasoning),
  tools: Schema.NullOr(Tools),
  /** why there are no tools */
  why: Schema.optional(Schema.String),
  manner: Manner,
  /** of messages that the template writes */
  roles: Schema.optional(Schema.Array(Schema.Literal("system", "user", "assistant", "tool"))),
  /** what ends an answer, as text */
  end: Schema.Array(Schema.String),
  source: Schema.Union(Schema.Literal("learned"), Schema.Struct({ exception: Schema.String }))
})
export type Dialect = typeof Dialect.Type

/** With the hash of the template that it was learned of. */
export const LearnedDialect = Schema.Struct({ template: Schema.String, dialect: Dialect })
export type LearnedDialect = typeof LearnedDialect.Type

/** For a model whose template cannot be read: all that it writes is content. */
export const contentOnly = (why: string): Dialect => ({
  content: {},
  reasoning: null,
  tools: null,
  why,
  manner: { arguments: "object", content: "empty" },
  end: [],
  source: "learned"
})

/** All that stands for something else than itself in what the model reads and writes. */
export const marksOf = ({ content, end, head = "", reasoning, tools }: Dialect): ReadonlyArray<string> => {
  const literal = (mark: Mark) => mark.filter((piece) => typeof piece === "string")
  const { also = [], between = [], close = [], form, open = [] } = tools ?? {}
  const inForm =
    form?._tag === "elements"
      ? [...literal(form.mid), ...literal(form.open), ...literal(form.close), form.quote?.open, form.quote?.close]
      : form?._tag === "name_json"
        ? literal(form.mid)
        : []
  return [
    head,
    content.open,
    ...(content.also ?? []),
    content.close,
    reasoning?.open,
    reasoning?.close,
    ...literal(open),
    ...also.flatMap((other) => [...literal(other.open), ...literal(other.mid)]),
    ...literal(between),
    ...close.flatMap(literal),
    ...inForm,
    ...end
  ].flatMap((text) => (text === undefined || text === "" ? [] : [text]))
}
