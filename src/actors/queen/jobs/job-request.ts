/** From what a user asked for to what a place and a worker are asked for. */
import * as Struct from "effect/Struct"
import type { Need } from "../../../machines/policy/memory/context.ts"
import { setupOf } from "../../../machines/policy/memory/setup.ts"
import type { Held } from "../../../machines/policy/conversation-homes.ts"
import { purposeOf } from "../../../machines/policy/purpose.ts"
import type { PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import { conversationFields } from "../../../machines/vocabulary/conversation.ts"
import { anySeed, type CheckedRequest, samplingFields } from "../../../machines/vocabulary/job.ts"
import type { InferRequest } from "../../../machines/vocabulary/worker.ts"
import type { JobLog } from "../log/job-log.ts"
import type { JobId } from "../../../machines/vocabulary/ids.ts"
import { deviceNamed } from "../../../machines/vocabulary/ids.ts"

export type Preference = NonNullable<CheckedRequest["prefer"]>

/** Where it would rather run: nothing where it must run somewhere. */
export const preferenceOf = ({ device, hive, prefer }: CheckedRequest): Preference | undefined =>
  hive !== undefined || device !== undefined || (prefer?.hive ?? prefer?.device) === undefined ? undefined : prefer

/**
 * What the job wants of a place; `alone` after a death without a token, `needs` after a worker that was too small;
 * `preferred`: a place that it can do without; `held`: where its conversation was read before.
 */
export const placementRequestOf = (
  log: JobLog,
  alone: boolean,
  needs?: Need,
  preferred?: Preference,
  held?: Held
): PlacementRequest => {
  const { model, allow_cpu, context } = log.request
  const { device, hive } = preferred ?? log.request
  const setup = setupOf(log.request)
  return {
    model,
    hive,
    device: device === undefined ? undefined : deviceNamed(device),
    allowCpu: allow_cpu ?? true,
    context: needs?.context ?? context,
    ...(setup === undefined ? {} : { setup }),
    ...(held === undefined ? {} : { held }),
    ...(preferred === undefined ? {} : { isPreferred: true }),
    alone
  }
}

/**
 * A job without a seed gets one of its own, from its id, which is random: so that whoever continues its answer draws as
 * the first worker would have drawn. 32 bits of FNV-1a.
 */
const seedOf = (jobId: JobId): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < jobId.length; i++) hash = Math.imul(hash ^ jobId.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

const wishes = Struct.keys(conversationFields)
const samples = Struct.keys(samplingFields)

/** `scope`: whose it is, as its worker is told. */
export const inferRequestOf = (log: JobLog, epoch: number, alone: boolean, scope: string): InferRequest => {
  const { embed, messages, prompt, raw, rerank, suffix, tokens, seed: given = anySeed } = log.request
  // A prompt is what a user says: it goes through the model's chat template like any message, if it is not raw.
  const asked = messages ?? [{ role: "user" as const, content: prompt ?? "" }]
  const isMeasured = purposeOf(log.request) !== "chat"
  const wanted = isMeasured
    ? { embed, rerank }
    : {
        ...(raw === true ? { prompt, suffix, tokens } : { messages: asked }),
        ...Struct.pick(log.request, ...wishes, ...samples),
        seed: given === anySeed ? seedOf(log.jobId) : given,
        form: log.facts().form
      }
  // of what was measured it is enough to know which texts were
  const resume = log.tokens() === 0 ? undefined : { token_ids: log.tokenIds(), text: isMeasured ? "" : log.text() }
  return {
    job_id: log.jobId,
    epoch,
    scope,
    ...(alone ? { alone } : {}),
    ...Object.fromEntries(Object.entries({ ...wanted, resume }).filter(([, value]) => value !== undefined))
  }
}
