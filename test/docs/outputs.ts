/**
 * What each command prints with `--json`, as the schemas that the programs themselves use: docs/json.md and docs/schemas
 * are made of this, and real outputs are compared with it.
 */
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import { HiveParked } from "../../src/machines/vocabulary/people/parked.ts"
import { Dialect } from "../../src/machines/dialect/dialect.ts"
import { Discovered } from "../../src/machines/discovery/discovered.ts"
import { Diagnosis } from "../../src/machines/doctor/finding.ts"
import { EngineView } from "../../src/machines/kinds/engine-view.ts"
import { Narration } from "../../src/machines/narration.ts"
import { Count, Health } from "../../src/machines/vocabulary/common.ts"
import { HiveView, MachineView, WorkerView } from "../../src/machines/vocabulary/hive.ts"
import { HiveId } from "../../src/machines/vocabulary/ids.ts"
import { JobView, WireError } from "../../src/machines/vocabulary/job.ts"
import { GcAnswer, KeptModel, ModelView, ProgressEvent, ScanAnswer } from "../../src/machines/vocabulary/model.ts"
import { Fits, Found, Listed } from "../../src/protocol/queen/finding.ts"
import { PlanView } from "../../src/machines/vocabulary/plan.ts"
import { KeyMade, KeyName, KeyView } from "../../src/machines/vocabulary/people/key.ts"
import { AuditEntry, UsageView } from "../../src/machines/vocabulary/people/usage.ts"
import { ofJob } from "../../src/protocol/events.ts"

export interface Output {
  readonly schema: Schema.Schema.AnyNoContext
  /** one document, or an object a line */
  readonly form: "document" | "lines"
}
const document = (schema: Schema.Schema.AnyNoContext): Output => ({ schema, form: "document" })

/** What is about a queen who does not run: exit code 3. */
const NotRunning = Schema.Struct({
  running: Schema.Literal(false),
  error: Schema.Struct({ code: Schema.Literal("NOT_RUNNING"), message: Schema.String })
})
const asked = (schema: Schema.Schema.AnyNoContext): Output => document(Schema.Union(schema, NotRunning))

type Events = Readonly<Record<string, { readonly fields: Schema.Struct.Fields }>>

/** Each event is one line, with its name and, where it can be resumed from, its id. */
const lines = (events: Events): Output => ({
  form: "lines",
  schema: Schema.Union(
    ...Object.entries(events).map(([event, { fields }]) =>
      Schema.Struct({ event: Schema.Literal(event), id: Schema.optional(Schema.String), ...fields })
    )
  )
})

const running = { running: Schema.Boolean }
const Queen = Schema.Union(
  Schema.Struct({ running: Schema.Literal(true), ...Health.fields }),
  Schema.Struct({ running: Schema.Literal(false) })
)
/** of one that lives on without her, no more is known */
const LeftHive = Schema.Struct({ id: HiveId, pid: Schema.Int })

const Trip = Schema.Struct({ tried: Count, exact: Count })
const RoundTrip = Schema.Struct({
  ...Trip.fields,
  kinds: Schema.Record({ key: Schema.String, value: Trip }),
  impossible: Schema.Array(Schema.String)
})

const jobs = asked(Schema.Array(JobView))
const models = asked(Schema.Array(ModelView))
/** tokens a second of its model's latest answer there */
const WorkerRow = Schema.Struct({ ...WorkerView.fields, tokens_per_s: Schema.optional(Schema.Number) })
const workers = asked(Schema.Array(WorkerRow))
const pull = lines({
  narration: Narration,
  progress: ProgressEvent,
  ready: ModelView,
  error: WireError
})

/** By the words of the command. */
export const outputs: Readonly<Record<string, Output>> = {
  infer: lines(ofJob),
  status: document(
    Schema.Struct({
      queen: Queen,
      hives: Schema.Array(Schema.Union(HiveView, LeftHive)),
      workers: Schema.Array(WorkerRow),
      kept: Schema.optional(Schema.Array(KeptModel)),
      parked: Schema.optional(Schema.Array(HiveParked))
    })
  ),
  doctor: document(Diagnosis),
  pull,
  list: models,
  ps: workers,
  "queen status": asked(Schema.Struct({ ...running, ...Health.fields })),
  "hives status": asked(Schema.Struct({ ...running, ...HiveView.fields })),
  "hives show": asked(Schema.Struct({ ...HiveView.fields, machine: Schema.optional(MachineView) })),
  "hives discover": document(Discovered),
  "hives ls": asked(Schema.Array(HiveView)),
  "workers ls": workers,
  "models ls": models,
  "models pull": pull,
  "models show": models,
  "models dialect": document(Schema.Struct({ ...Dialect.fields, round_trip: RoundTrip })),
  "models scan": document(ScanAnswer),
  "models search": document(Found),
  "models fit": document(Fits),
  "models entries": document(Listed),
  "models gc": asked(GcAnswer),
  "jobs ls": jobs,
  "jobs show": asked(JobView),
  plan: asked(PlanView),
  "engines ls": document(Schema.Array(EngineView)),
  "engines show": document(EngineView),
  "keys add": document(KeyMade),
  "keys ls": asked(Schema.Array(KeyView)),
  "keys revoke": document(Schema.Struct({ name: KeyName, ended: Count })),
  "keys usage": asked(UsageView),
  audit: asked(Schema.Array(AuditEntry))
}

/** The same under another name. */
const sameAs: Readonly<Record<string, string>> = { list: "models ls", ps: "workers ls", pull: "models pull" }

export const fileOf = (command: string): string =>
  `docs/schemas/${(sameAs[command] ?? command).replaceAll(" ", "-")}.json`

/** `strict`: with nothing besides. What is promised is less: a later version may say more. */
export const jsonSchemaOf = (command: string, strict = false): object => {
  const output = outputs[command]
  if (output === undefined) throw new Error(`nothing is known of what ${command} prints`)
  return {
    title: `rbee ${sameAs[command] ?? command} --json`,
    ...JSONSchema.fromAST(output.schema.ast, {
      definitions: {},
      target: "jsonSchema7",
      topLevelReferenceStrategy: "skip",
      additionalPropertiesStrategy: strict ? "strict" : "allow"
    })
  }
}
