/**
 * An example of an answer, made from its schema: every field once, with values that people would expect there and that
 * the schema takes. What an encoded value looks like is shown, as it travels.
 */
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"

/** What stands in fields of these names, where their schemas take it. */
const byName: Readonly<Record<string, unknown>> = {
  version: "0.1.0",
  url: "http://127.0.0.1:8600",
  hive: "localhost",
  hive_id: "localhost",
  device: "gpu0",
  model: "HF:acme/model-7B-GGUF:Q4_K_M",
  model_ref: "HF:acme/model-7B-GGUF:Q4_K_M",
  job_id: "job-7f3a90c1d4e5b687",
  worker_id: "w-3f2a90c1",
  events: "/jobs/job-7f3a90c1d4e5b687/events",
  created_at: 1_767_225_600_000,
  created: 1_767_225_600,
  context: 4096,
  mac: "aa:bb:cc:dd:ee:ff",
  day: "2026-01-01",
  role: "assistant",
  content: "Bees dance.",
  text: "Bees dance."
}
/** What fits most schemas of one field; where none does the schema itself has to say one. */
const usual: ReadonlyArray<unknown> = ["text", "localhost", "gpu0", "cpu", "127.0.0.1", "/path", "sha256:0", 1, 0, 0.5]

/** Types may contain themselves: so often in one example. */
const depthMax = 1

const fitting = (ast: AST.AST, name: string): unknown => {
  const isOne = Schema.is(Schema.make<unknown>(ast))
  const own = AST.getExamplesAnnotation(ast)
  const candidates = [byName[name], ...(own._tag === "Some" ? own.value : []), ...usual]
  return candidates.find((value) => value !== undefined && isOne(value))
}

const fieldsOf = (ast: AST.TypeLiteral, depth: number): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    ast.propertySignatures
      .map(({ name, type }) => [String(name), exampleIn(type, String(name), depth)] as const)
      .filter(([, value]) => value !== undefined)
  )

const itemsOf = (ast: AST.TupleType, name: string, depth: number): ReadonlyArray<unknown> =>
  [...ast.elements, ...ast.rest].map(({ type }) => exampleIn(type, name, depth)).filter((one) => one !== undefined)

const exampleIn = (ast: AST.AST, name: string, depth: number): unknown => {
  switch (ast._tag) {
    case "Literal":
      return ast.literal
    case "BooleanKeyword":
      return true
    case "UndefinedKeyword":
    case "VoidKeyword":
      return undefined
    case "Suspend":
      return depth >= depthMax ? undefined : exampleIn(ast.f(), name, depth + 1)
    case "Refinement":
      return fitting(ast, name) ?? ofWhole(ast.from, name, depth)
    case "Union":
      return ast.types.map((type) => exampleIn(type, name, depth)).find((value) => value != null)
    case "TupleType":
      return itemsOf(ast, name, depth)
    case "TypeLiteral":
      return fieldsOf(ast, depth)
    default:
      return fitting(ast, name)
  }
}

/** Of what is refined as a whole: of a plain value it would be one that was refused. */
const ofWhole = (ast: AST.AST, name: string, depth: number): unknown =>
  AST.isStringKeyword(ast) || AST.isNumberKeyword(ast) ? undefined : exampleIn(ast, name, depth)

/** Undefined: an answer without a body. */
export const answerExample = ({ ast }: Schema.Schema.AnyNoContext): unknown =>
  exampleIn(AST.encodedBoundAST(ast), "", 0)
