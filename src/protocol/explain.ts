/**
 * Says which field of a request is wrong and what is accepted. Schema's own formatters print the value, and a value may
 * be somebody's prompt: these sentences are made of the declaration alone.
 */
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as AST from "effect/SchemaAST"
import { type RbeeError, rbeeError } from "../machines/errors.ts"

type Path = ReadonlyArray<PropertyKey>
interface Finding {
  readonly path: Path
  readonly problem: "missing" | "unknown" | "wrong"
  readonly expected: string
}

const isUndefined = (ast: AST.AST): boolean => ast._tag === "UndefinedKeyword"

const isNull = (ast: AST.AST): boolean => AST.isLiteral(ast) && ast.literal === null

const plain: Partial<Record<AST.AST["_tag"], string>> = {
  StringKeyword: "a string",
  NumberKeyword: "a number",
  BooleanKeyword: "true or false",
  TypeLiteral: "an object",
  TupleType: "an array",
  VoidKeyword: "nothing"
}

const ownMessage = (issue: ParseResult.ParseIssue): string | undefined => {
  if (!("ast" in issue) || !("annotations" in issue.ast)) return undefined
  const message = Option.getOrUndefined(AST.getMessageAnnotation(issue.ast))?.(issue)
  return typeof message === "string" ? message : undefined
}

/** What a declaration accepts, in words. */
export const describe = (ast: AST.AST): string => {
  if (AST.isLiteral(ast)) return JSON.stringify(ast.literal)
  if (AST.isUnion(ast)) {
    const members = ast.types.filter((type) => !isUndefined(type)).map(describe)
    return members.length < 2 ? members.join() : `${members.slice(0, -1).join(", ")} or ${members.at(-1)}`
  }
  if (AST.isTransformation(ast)) return describe(ast.from)
  const words = Option.getOrUndefined(AST.getDescriptionAnnotation(ast))
  if (AST.isRefinement(ast)) return words ?? describe(ast.from)
  return plain[ast._tag] ?? words ?? "something else"
}

const list = (issues: ParseResult.SingleOrNonEmpty<ParseResult.ParseIssue>): ReadonlyArray<ParseResult.ParseIssue> =>
  Array.isArray(issues) ? issues : [issues as ParseResult.ParseIssue] // Array.isArray does not narrow readonly unions

const find = (issue: ParseResult.ParseIssue, path: Path): Finding => {
  switch (issue._tag) {
    case "Pointer":
      return find(issue.issue, path.concat(issue.path))
    case "Missing":
      return { path, problem: "missing", expected: "" }
    case "Unexpected":
      return { path, problem: "unknown", expected: "" }
    case "Composite": {
      const issues = list(issue.issues)
      const inner = AST.isUnion(issue.ast)
        ? issues.filter((one) => !("ast" in one && isUndefined(one.ast as AST.AST))) // Missing alone has no AST.AST, and is not undefined
        : issues
      const [only] = inner
      if (only !== undefined && (inner.length === 1 || !AST.isUnion(issue.ast))) return find(only, path)
      // what may be null and is something else is wrong where that is
      const [own, ...others] = inner.filter((one) => !("ast" in one && isNull(one.ast as AST.AST))) // as above
      const deep = own !== undefined && others.length === 0 ? find(own, path) : undefined
      if (deep !== undefined && deep.path.length > path.length) return deep
      return { path, problem: "wrong", expected: describe(issue.ast) }
    }
    case "Refinement":
    case "Transformation": {
      const own = ownMessage(issue)
      if (issue.kind === "From" || issue.kind === "Encoded" || issue.kind === "Type") {
        const inner = find(issue.issue, path)
        return own !== undefined && inner.path.length === path.length ? { ...inner, expected: own } : inner
      }
      return { path, problem: "wrong", expected: own ?? describe(issue.ast) }
    }
    case "Type":
    case "Forbidden":
      return { path, problem: "wrong", expected: ownMessage(issue) ?? describe(issue.ast) }
  }
}

/** `messages[0].role`; a name that somebody made up is cut and cleaned. */
const nameOf = (path: Path): string =>
  path
    .map((key) =>
      typeof key === "number"
        ? `[${key}]`
        : `.${String(key)
            .replace(/[^\w.-]/g, "?")
            .slice(0, 64)}`
    )
    .join("")
    .replace(/^\./, "")

/** The first thing that is wrong with an input. */
export const explain = (error: ParseResult.ParseError): RbeeError<"INVALID_REQUEST"> => {
  const { path, problem, expected } = find(error.issue, [])
  const field = nameOf(path)
  switch (problem) {
    case "missing":
      return rbeeError("INVALID_REQUEST", `field ${field} is missing`, "", { field })
    case "unknown":
      return rbeeError("INVALID_REQUEST", `unknown field ${field}`, "Leave it out", { field })
    case "wrong":
      return rbeeError("INVALID_REQUEST", `${field === "" ? "the input" : field} must be ${expected}`, "", {
        field,
        expected
      })
  }
}
