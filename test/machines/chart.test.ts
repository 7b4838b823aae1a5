import { assert, describe, it } from "@effect/vitest"
import { and, assign, not, setup } from "xstate"
import { activity } from "../../src/machines/activity.ts"
import { toMermaid } from "../../src/machines/charts/chart.ts"

const machine = setup({
  types: {
    context: {} as { readonly tries: number },
    events: {} as
      | { readonly type: "START" }
      | { readonly type: "BEAT" }
      | { readonly type: "BUSY" }
      | { readonly type: "STOP" },
    tags: {} as "waking" | "loading"
  },
  actors: { boot: activity<number>(), watch: activity() },
  guards: { spent: ({ context }) => context.tries > 2, late: () => false },
  delays: { backoff: ({ context }) => context.tries * 500 }
}).createMachine({
  id: "worker",
  context: { tries: 0 },
  initial: "cold",
  on: { STOP: ".stopped" },
  states: {
    cold: { on: { START: "booting" } },
    booting: {
      tags: ["waking", "loading"],
      invoke: {
        src: "boot",
        onDone: "healthy",
        onError: [{ guard: "spent", target: "failed" }, { target: "degraded" }]
      },
      after: { 60_000: "degraded", 500: { guard: and(["late", not("spent")]), target: "degraded" } }
    },
    healthy: {
      initial: "idle",
      invoke: { src: "watch", onDone: "degraded" },
      on: { BEAT: { actions: assign({ tries: 0 }) } },
      states: { idle: { on: { BUSY: "busy" } }, busy: { after: { 1_500: "idle" } } },
      after: { 5_000: { guard: ({ context }) => context.tries > 1, target: "degraded" } }
    },
    degraded: { after: { backoff: "booting" }, on: { BEAT: { actions: assign({ tries: 1 }) } } },
    failed: { type: "final" },
    stopped: { type: "final" }
  }
})

describe("toMermaid", () => {
  it("draws states, tags, activities, guards, delays and nested states in the order of the chart", () => {
    assert.strictEqual(
      toMermaid(machine),
      `stateDiagram-v2
  [*] --> worker_cold
  state "cold" as worker_cold
  state "booting" as worker_booting
  worker_booting: «waking»
  worker_booting: «loading»
  worker_booting: do / boot
  state "healthy" as worker_healthy {
    [*] --> worker_healthy_idle
    state "idle" as worker_healthy_idle
    state "busy" as worker_healthy_busy
    worker_healthy_idle --> worker_healthy_busy: BUSY
    worker_healthy_busy --> worker_healthy_idle: after 1.5 s
    state "anywhere" as worker_healthy_anywhere
    worker_healthy_anywhere: do / watch
    worker_healthy_anywhere --> worker_healthy_anywhere: BEAT
  }
  state "degraded" as worker_degraded
  state "failed" as worker_failed
  state "stopped" as worker_stopped
  worker_cold --> worker_booting: START
  worker_booting --> worker_healthy: done(boot)
  worker_booting --> worker_failed: failed(boot) [spent]
  worker_booting --> worker_degraded: failed(boot)
  worker_booting --> worker_degraded: after 500 ms [(late and not spent)]
  worker_booting --> worker_degraded: after 1 min
  worker_healthy --> worker_degraded: done(watch)
  worker_healthy --> worker_degraded: after 5 s [condition]
  worker_degraded --> worker_degraded: BEAT
  worker_degraded --> worker_booting: after backoff
  worker_failed --> [*]
  worker_stopped --> [*]
  state "anywhere" as worker_anywhere
  worker_anywhere --> worker_stopped: STOP
`
    )
  })

  it("separates the regions of a parallel state and draws history, done and eventless transitions", () => {
    const parallel = setup({}).createMachine({
      id: "job",
      initial: "provisioning",
      states: {
        provisioning: {
          type: "parallel",
          states: {
            model: { initial: "missing", states: { missing: { always: "present" }, present: { type: "final" } } },
            runtime: { initial: "present", states: { present: { type: "final" } } }
          },
          onDone: "back"
        },
        back: { initial: "one", states: { one: {}, two: {}, memory: { type: "history" } }, on: { RESUME: ".memory" } }
      }
    })
    assert.strictEqual(
      toMermaid(parallel),
      `stateDiagram-v2
  [*] --> job_provisioning
  state "provisioning" as job_provisioning {
    state "model" as job_provisioning_model {
      [*] --> job_provisioning_model_missing
      state "missing" as job_provisioning_model_missing
      state "present" as job_provisioning_model_present
      job_provisioning_model_missing --> job_provisioning_model_present
      job_provisioning_model_present --> [*]
    }
    --
    state "runtime" as job_provisioning_runtime {
      [*] --> job_provisioning_runtime_present
      state "present" as job_provisioning_runtime_present
      job_provisioning_runtime_present --> [*]
    }
  }
  state "back" as job_back {
    [*] --> job_back_one
    state "one" as job_back_one
    state "two" as job_back_two
    state "H" as job_back_memory
    state "anywhere" as job_back_anywhere
    job_back_anywhere --> job_back_memory: RESUME
  }
  job_provisioning --> job_back: done
`
    )
  })
})
