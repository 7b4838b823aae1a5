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

export const compile = (name: string, endpoint: Endpoint): Wire => ({
  name,
  endpoint,
  held: heldTo(endpoint.errors),
  maxBytes: endpoint.maxBytes ?? megabyte,
  ...compileInput(endpoint),
  ...compileAnswer(endpoint)
})

/** All endpoints of an interface, compiled once per program. */
export const wiresOf = (api: Api): ReadonlyArray<Wire> => {
  const known = compiled.get(api)
  if (known !== undefined) return known
  const wires = Object.entries(api).map(([name, endpoint]) => compile(name, endpoint))
  compiled.set(api, wires)
  return wires
}
const compiled = new WeakMap<Api, ReadonlyArray<Wire>>()

export const tooLarge = (maxBytes: number): RbeeError<"PAYLOAD_TOO_LARGE"> =>
  rbeeError("PAYLOAD_TOO_LARGE", `the body is over ${maxBytes} bytes`, "", { max_bytes: maxBytes })
