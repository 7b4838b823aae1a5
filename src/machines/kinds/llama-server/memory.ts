/** What a worker takes whose model is in llama.cpp's own server. */
import type { ModelFacts } from "../../formats/gguf/gguf.ts"
import type { Shape } from "../../policy/memory/fit.ts"
import type { Terms } from "../kind.ts"
import { cellStep } from "../llama/batches.ts"
import { computeBytes, estimateBytes } from "../llama/memory.ts"

/** The server itself, beside a model; measured with 3 M parameters (24 MB in all, 3 of them the file). */
const serverBytes = 20e6

/** It has a step more than is used of each slot: it ends an answer one token before its context is full. */
const roomier = ({ context, slots }: Shape): Shape => ({ context: context + cellStep, slots })

/** What sees has its weights, and what it computes an image in: a guess, for images of some thousand patches. */
const seeingBytes = ({ projector }: ModelFacts): number => (projector === undefined ? 0 : projector.bytes + 100e6)

export const bytes = (facts: ModelFacts, shape: Shape, terms: Terms): number =>
  serverBytes + seeingBytes(facts) + estimateBytes(facts, roomier(shape), terms)

export const laterBytes = (facts: ModelFacts, shape: Shape, terms: Terms): number =>
  computeBytes(facts, roomier(shape), terms)
