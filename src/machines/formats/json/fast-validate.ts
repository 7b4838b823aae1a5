/**
 * Most of what travels needs no decoding: it is right as it stands. This compiles a declaration to a plain predicate
 * that says so, at a tenth of the cost of a decode, which is what heartbeats and request rates are made of. Whatever it
 * does not accept goes the way of Schema, which alone says what is wrong or what is left out.
 */
import * as Option from "effect/Option"
import * as AST from "effect/SchemaAST"
import { isObject } from "./is-object.ts"

export type Accepts = (value: unknown) => boolean

/** true: decoding and encoding `value` would give an equal value. undefined: this declaration changes values. */
export const fastValidator = (ast: AST.AST): Accepts | undefined => {
  switch (ast._tag) {
    case "StringKeyword":
      return (value) => typeof value === "string"
    case "NumberKeyword":
      return (value) => typeof value === "number"
    case "BooleanKeyword":
      return (value) => typeof value === "boolean"
    case "UndefinedKeyword":
      return (value) => value === undefined
    case "UnknownKeyword":
    case "AnyKeyword":
      return () => true
    case "Literal":
      return (value) => value === ast.literal
    case "Refinement": {
      const from = fastValidator(ast.from)
      return from && ((value) => from(value) && Option.isNone(ast.filter(value, AST.defaultParseOption, ast)))
    }
    case "Union":
      return union(ast)
    case "TupleType":
      return list(ast)
    case "TypeLiteral":
      return ast.indexSignatures.length > 0 ? record(ast) : struct(ast)
    default:
      return undefined
  }
}

const isObjectLike = (ast: AST.AST): boolean =>
  ast._tag === "TypeLiteral" ||
  (ast._tag === "Refinement" && isObjectLike(ast.from)) ||
  (ast._tag === "Union" && ast.types.some(isObjectLike))

/** The words that a field may have; none: it is no field of words. */
const wordsOf = (ast: AST.AST | undefined): ReadonlyArray<AST.LiteralValue> => {
  if (ast?._tag === "Literal") return [ast.literal]
  const words = ast?._tag === "Union" ? ast.types.map(wordsOf) : []
  return words.some(({ length }) => length === 0) ? [] : words.flat()
}

/** Whether a field's word tells which of them a value can be: no value fits two. */
const areTold = (objects: ReadonlyArray<AST.AST>): boolean => {
  const [first] = objects
  if (first?._tag !== "TypeLiteral" || !objects.every((one) => one._tag === "TypeLiteral")) return false
  return first.propertySignatures.some(({ name }) => {
    const words = objects.map((one) => {
      const field = one.propertySignatures.find((other) => other.name === name)
      return field === undefined || field.isOptional ? [] : wordsOf(field.type)
    })
    const all = words.flat()
    return words.every(({ length }) => length > 0) && new Set(all).size === all.length
  })
}

/** Of two objects Schema takes the first that fits once fields are left out; that is not judged here. */
const union = (ast: AST.Union): Accepts | undefined => {
  const objects = ast.types.filter(isObjectLike)
  if (objects.length > 1 && !areTold(objects)) return undefined
  const members: Array<Accepts> = []
  for (const type of ast.types) {
    const member = fastValidator(type)
    if (member === undefined) return undefined
    members.push(member)
  }
  const [first, second, third] = members
  if (first === undefined || second === undefined) return first
  return third === undefined
    ? (value) => first(value) || second(value)
    : (value) => members.some((member) => member(value))
}

const list = (ast: AST.TupleType): Accepts | undefined => {
  const [rest, ...more] = ast.rest
  if (ast.elements.length > 0 || rest === undefined || more.length > 0) return undefined
  const item = fastValidator(rest.type)
  if (item === undefined) return undefined
  return (value) => {
    if (!Array.isArray(value)) return false
    // `every` would pass over holes
    for (let index = 0; index < value.length; index++) if (!item(value[index])) return false
    return true
  }
}

const record = (ast: AST.TypeLiteral): Accepts | undefined => {
  const [signature, ...more] = ast.indexSignatures
  if (signature === undefined || more.length > 0 || ast.propertySignatures.length > 0) return undefined
  const key = fastValidator(signature.parameter)
  const field = fastValidator(signature.type)
  if (key === undefined || field === undefined) return undefined
  // Schema copies fields by assignment, in which `__proto__` is none
  return (value) =>
    isObject(value) &&
    !Object.hasOwn(value, "__proto__") &&
    Object.entries(value).every(([name, one]) => key(name) && field(one))
}

const struct = (ast: AST.TypeLiteral): Accepts | undefined => {
  // a struct without fields takes anything but null and undefined
  if (ast.propertySignatures.length === 0) return undefined
  const fields: Array<{ readonly name: string; readonly optional: boolean; readonly accepts: Accepts }> = []
  for (const { name, isOptional, type } of ast.propertySignatures) {
    const accepts = fastValidator(type)
    if (accepts === undefined || typeof name !== "string") return undefined
    fields.push({ name, optional: isOptional, accepts })
  }
  return (value) => {
    if (!isObject(value)) return false
    let known = 0
    for (const field of fields) {
      const own = value[field.name]
      if (own !== undefined || field.name in value) {
        if (!field.accepts(own)) return false
        known++
      } else if (!field.optional) return false
    }
    // a field more would have to be left out, or refused
    return Object.keys(value).length === known
  }
}
