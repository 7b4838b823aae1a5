/** What a surface lets through and a job cannot have: refused by its field, before anything is written. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { expect, it } from "vitest"
import { checkJobRequest } from "../../../src/actors/queen/jobs/jobs.ts"
import { CheckedRequest, type JobRequest } from "../../../src/machines/vocabulary/job.ts"

const job: JobRequest = { model: "minillama", messages: [{ role: "user", content: "hello" }] }
const tool = { name: "f", parameters: { type: "object" } }

const beyond: ReadonlyArray<readonly [field: string, own: Partial<JobRequest>]> = [
  ["tools[0].name", { tools: [{ ...tool, name: "" }] }],
  ["tools[1].name", { tools: [tool, { ...tool, name: "f".repeat(257) }] }],
  ["tools", { tools: Array.from({ length: 513 }, (_, i) => ({ ...tool, name: `f${i}` })) }],
  ["reasoning", { reasoning: { budget: -1 } }],
  ["temperature", { temperature: -1 }],
  ["stop", { stop: Array.from({ length: 17 }, String) }],
  ["seed", { seed: 0.5 }],
  ["context", { context: 3 }]
]

it.each(beyond)("is refused by its field, as the journal could not keep it: %s", (field, own) => {
  const request = { ...job, ...own }
  expect(Either.isLeft(Schema.encodeEither(CheckedRequest)(request as never))).toBe(true)
  expect(Either.flip(checkJobRequest(request))).toMatchObject({ right: { code: "INVALID_REQUEST" } })
  expect(Either.flip(checkJobRequest(request))).toMatchObject({ right: { details: { field } } })
})

it("is taken within them", () => {
  const own = { tools: [{ ...tool, name: "f".repeat(256) }], reasoning: { budget: 0 }, seed: 7, stop: ["a"], top_k: 3 }
  expect(Either.isRight(checkJobRequest({ ...job, ...own }))).toBe(true)
})
