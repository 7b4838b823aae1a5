/** What a row of docs/llama-server.md is made of, and how one is tried. */
import type OpenAI from "openai"

/** A cluster with the bundled model. */
export interface Tried {
  /** models of random weights: for embeddings, and one that ranks */
  readonly embedder: string
  readonly ranker: string
  readonly post: (path: string, body: object) => Promise<Answer>
  readonly get: (path: string) => Promise<Answer>
  readonly client: OpenAI
}
export interface Answer {
  readonly status: number
  /** of JSON */
  readonly body: Readonly<Record<string, unknown>>
  readonly text: string
}

export interface Row {
  readonly test: string
  readonly asserts: string
  /** absent: it holds */
  readonly why?: string
  readonly holds: (tried: Tried) => Promise<boolean>
}

export const model = "minillama"

export const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown => {
  let found = value
  for (const key of path) found = Object(found)[key]
  return found
}

export const chunksIn = ({ text: stream }: Answer): ReadonlyArray<unknown> =>
  stream.split("\n").flatMap((line) => (line.startsWith("data: {") ? [JSON.parse(line.slice(6))] : []))

export const isRefused = ({ body, status }: Answer): boolean => status === 400 && body["error"] !== undefined

export const isServed = ({ status }: Answer): boolean => status === 200
