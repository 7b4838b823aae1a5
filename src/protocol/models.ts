/**
 * The calls about models. A hive answers them for itself, the queen for all of hers or for one that is named: the same
 * calls for two audiences, declared once.
 */
import * as Schema from "effect/Schema"
import { Nothing } from "../machines/vocabulary/common.ts"
import { ModelView } from "../machines/vocabulary/model.ts"
import { HiveId, ModelRef } from "../machines/vocabulary/ids.ts"
import type { ErrorCode } from "../machines/errors.ts"
import type { WireSchema } from "./answers.ts"
import { endpoint } from "./endpoint.ts"
import * as stream from "./events.ts"
import { none } from "./inputs.ts"
import type { ApiScope } from "./rights.ts"

/** A download that has begun, or was running: where it is told of. */
export const ProvisionAnswer = Schema.Struct({ provision_id: Schema.String, events: Schema.String })

/** One that has not ended. */
export const RunningDownload = Schema.Struct({
  id: Schema.String,
  model_ref: ModelRef,
  /** bytes that are here */
  received: Schema.Number,
  /** absent: it is still looked for */
  total: Schema.optional(Schema.Number),
  /** bytes a second */
  rate: Schema.Number
})
export type RunningDownload = typeof RunningDownload.Type

/** A download, to the file that it ends with. */
export const downloadEvents = stream.untilReady(Schema.Struct({ file: Schema.String }))

/** Model references have slashes and colons; they travel percent-encoded. */
export const byRef = Schema.Struct({ ref: Schema.String })
const all = Schema.Array(ModelView)
const pinned = { pinned: Schema.Boolean }
/** Of a hive itself. */
export const ofHive = { one: byRef, pin: Schema.Struct({ ...byRef.fields, ...pinned }) }
const hive = { hive: Schema.optional(HiveId) }
/** Of a hive that is named, or of all that have it. */
export const ofCluster = {
  one: Schema.Struct({ ...byRef.fields, ...hive }),
  pin: Schema.Struct({ ...byRef.fields, ...pinned, ...hive })
}

interface Audience<One, Pin, Code> {
  /** `/models` */
  readonly at: string
  readonly scope: ApiScope
  /** what says which model is meant, and where */
  readonly inputs: { readonly one: One; readonly pin: Pin }
  /** "this hive" */
  readonly whose: string
  /** of every call */
  readonly errors: ReadonlyArray<Code>
}

export const modelCalls = <One extends WireSchema, Pin extends WireSchema, const Code extends ErrorCode>(
  audience: Audience<One, Pin, Code>
) => {
  const { at, inputs, scope, whose } = audience
  const errors: ReadonlyArray<Code | "MODEL_NOT_FOUND"> = [...audience.errors, "MODEL_NOT_FOUND"]
  return {
    listModels: endpoint("GET", at, {
      scope,
      summary: `Models (${whose})`,
      input: none,
      answers: { json: { 200: all } },
      errors: audience.errors
    }),
    pinModel: endpoint("POST", `${at}/:ref/pin`, {
      scope,
      summary: `Keep a model whatever else needs room, or no longer (${whose})`,
      input: inputs.pin,
      answers: { json: { 204: Nothing } },
      errors
    }),
    retryModel: endpoint("POST", `${at}/:ref/retry`, {
      scope,
      summary: `Try a model again where its workers died of it (${whose})`,
      input: inputs.one,
      answers: { json: { 204: Nothing } },
      errors
    }),
    removeModel: endpoint("DELETE", `${at}/:ref`, {
      scope,
      summary: `Remove a model (${whose}); 409 in use`,
      input: inputs.one,
      answers: { json: { 204: Nothing } },
      errors: [...errors, "CONFLICT"]
    })
  }
}
