/**
 * An endpoint's declaration, compiled once: how an input is spread over path, query, headers and body and put together
 * again, and how an answer becomes text and a value again. Server, client and in-process transport all use it, so that
 * they cannot mean different things.
 */
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { Api, Endpoint } from "../endpoint.ts"
import { heldTo } from "../failures.ts"
import { compileAnswer, type WireAnswer } from "./answer.ts"
import { compileInput, type WireInput } from "./input.ts"

export interface Wire extends WireInput, WireAnswer {
  readonly name: string
  readonly endpoint: Endpoint
  /** holds an error to what the endpoint declares */
  readonly held: (error: RbeeError) => RbeeError
  /** bytes that a body may have */
  readonly maxBytes: number
}

export const megabyte = 1024 * 1024

/** Once per program: a queen calls the same endpoint of a thousand hives. An interface may call it otherwise than another. */
export const compile = (name: string, endpoint: Endpoint): Wire => {
  const known = compiled.get(endpoint)
  if (known !== undefined) return known.name === name ? known : { ...known, name }
  const wire: Wire = {
    name,
    endpoint,
    held: heldTo(endpoint.errors),
    maxBytes: endpoint.maxBytes ?? megabyte,
    ...compileInput(endpoint),
    ...compileAnswer(endpoint)
  }
  compiled.set(endpoint, wire)
  return wire
}
const compiled = new WeakMap<Endpoint, Wire>()

/** All endpoints of an interface. */
export const wiresOf = (api: Api): ReadonlyArray<Wire> =>
  Object.entries(api).map(([name, endpoint]) => compile(name, endpoint))

export const tooLarge = (maxBytes: number): RbeeError<"PAYLOAD_TOO_LARGE"> =>
  rbeeError("PAYLOAD_TOO_LARGE", `the body is over ${maxBytes} bytes`, "", { max_bytes: maxBytes })
