/**
 * Schemas of the programs are made when they are first used. A program knows many more than it uses: the queen answers
 * the clients of all makers, and a session asks for one job. To make one is pure, so that it does not matter when.
 *
 * Every outermost `Schema.…(…)` that a module evaluates as it is loaded becomes `$made(() => Schema.…(…))`, and what
 * makes a function of a schema, as `Schema.is(…)`, `$called(() => …)`.
 */
import { parse } from "@babel/parser"
import { readFileSync } from "node:fs"

/** What is imported by the modules: runs in the programs. */
export const library = `
const once = (make) => {
  let value
  return () => (value ??= make())
}
const handler = {
  apply: (stub, self, args) => Reflect.apply(stub.made(), self, args),
  get: (stub, key) => stub.made()[key],
  // what the stub itself has not must be configurable
  getOwnPropertyDescriptor: (stub, key) => {
    const found = Reflect.getOwnPropertyDescriptor(stub.made(), key)
    return found && { ...found, configurable: true }
  },
  getPrototypeOf: (stub) => Reflect.getPrototypeOf(stub.made()),
  has: (stub, key) => key in stub.made(),
  ownKeys: (stub) => Reflect.ownKeys(stub.made())
}
/** Stands for what is made; a function, as most schemas are. */
export const made = (make) => {
  const stub = () => {}
  delete stub.name
  delete stub.length
  stub.made = once(make)
  return new Proxy(stub, handler)
}
export const called = (make) => {
  const get = once(make)
  return (...args) => get()(...args)
}
`

const rootOf = (node) => {
  if (node.type === "CallExpression") return rootOf(node.callee)
  return node.type === "MemberExpression" ? rootOf(node.object) : node
}
const isCallOf = (names) => (node) => node.type === "CallExpression" && names.has(rootOf(node).name)

/** the library, and what of ours makes a schema: one of another file, and functions of this file that do nothing else */
const makersIn = (body) => {
  const known = new Set(["Schema", "maybe"])
  const declared = body.flatMap((node) => (node.declaration ?? node).declarations ?? [])
  const own = declared.filter(({ init }) => init?.type === "ArrowFunctionExpression" && isCallOf(known)(init.body))
  return new Set([...known, ...own.map(({ id }) => id.name)])
}

/** functions and classes, and types */
const later = /Function|^Class|^ObjectMethod|^TS(?!AsExpression|SatisfiesExpression)/

/** What is evaluated with its module, not by functions later. */
const outermost = (node, isWanted) => {
  if (node === null || typeof node !== "object") return []
  if (Array.isArray(node)) return node.flatMap((one) => outermost(one, isWanted))
  if (typeof node.type !== "string" || later.test(node.type)) return []
  return isWanted(node) ? [node] : Object.values(node).flatMap((one) => outermost(one, isWanted))
}

const ofFunctions = /^(decode|encode|is$|asserts$|validate)/
const givesFunction = ({ callee }) =>
  callee.type === "MemberExpression" && callee.object.type === "Identifier" && ofFunctions.test(callee.property.name)

/** `source` (TypeScript) with its schemas made later; the lines stay where they are. */
export const lazySchemas = (source) => {
  const { body } = parse(source, { sourceType: "module", plugins: ["typescript"] }).program
  const found = outermost(body, isCallOf(makersIn(body)))
  if (found.length === 0) return source
  const pieces = found.flatMap((node, index) => [
    source.slice(found[index - 1]?.end ?? 0, node.start),
    `/* @__PURE__ */ ${givesFunction(node) ? "$called" : "$made"}(() => ${source.slice(node.start, node.end)})`
  ])
  return `import { called as $called, made as $made } from "rbee:later";${pieces.join("")}${source.slice(found.at(-1).end)}`
}

/** For esbuild. */
export const lazySchemasPlugin = {
  name: "lazy-schemas",
  setup(build) {
    build.onResolve({ filter: /^rbee:later$/ }, ({ path }) => ({ path, namespace: "rbee" }))
    build.onLoad({ filter: /.*/, namespace: "rbee" }, () => ({ contents: library, loader: "js" }))
    build.onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, ({ path }) => {
      if (path.includes("node_modules")) return undefined
      const source = readFileSync(path, "utf8")
      return source.includes('from "effect/Schema"') ? { contents: lazySchemas(source), loader: "ts" } : undefined
    })
  }
}
