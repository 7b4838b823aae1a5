/** One example of each error, as a daemon says it: the OpenAPI document shows them. */
import type { ErrorCode, RbeeError } from "../../machines/errors.ts"
import type { GivenDetails } from "../../machines/facts.ts"

type Example = Pick<RbeeError, "what" | "todo" | "details">

const example = (what: string, todo = "", details: GivenDetails = {}): Example => ({ what, todo, details })

const loopback = { peer: "127.0.0.1:7835", reason: "ECONNREFUSED" }

export const errorExamples: Readonly<Record<ErrorCode, Example>> = {
  INVALID_REQUEST: example("temperature must be a number between 0 and 2", "", {
    field: "temperature",
    expected: "a number between 0 and 2"
  }),
  UNSUPPORTED_PARAMETER: example("n above 1 is not served", "Ask as often as you want answers", { field: "n" }),
  MODEL_INVALID: example("the file is no GGUF model", "Fetch it anew: `rbee models rm` and `rbee models pull`"),
  POISON_REQUEST: example("the request took 3 workers down with it", "Send another one", { workers: 3 }),
  MISSING_API_KEY: example("this needs the cluster's token", "Send it as Authorization: Bearer TOKEN", {
    scope: "manage"
  }),
  INVALID_API_KEY: example("the token is not this cluster's", "Check RBEE_TOKEN on both machines", { scope: "manage" }),
  MODEL_ACCESS_DENIED: example("HF:acme/gated:Q4_K_M needs a token of Hugging Face", "Set HF_TOKEN"),
  FORBIDDEN: example("local has no right to this", "The cluster's token has it", { scope: "manage" }),
  FORBIDDEN_ORIGIN: example("pages of https://example.com may not call this", "Allow it in queen.origins", {
    from: "https://example.com"
  }),
  NOT_FOUND: example("this hive knows no such id of a provision"),
  MODEL_NOT_FOUND: example("no hive that runs has model minillama", "See `rbee models ls`"),
  JOB_NOT_FOUND: example("there is no job job-7f3a", "`rbee jobs` lists them"),
  HIVE_NOT_FOUND: example("there is no hive gpu-box", "`rbee hives ls` lists them"),
  WORKER_NOT_FOUND: example("there is no worker worker-7f3a", "`rbee workers ls` lists them"),
  METHOD_NOT_ALLOWED: example("this path takes GET, POST"),
  CONFLICT: example("job job-7f3a has ended already: done", "", { job_id: "job-7f3a", state: "done" }),
  HIVE_OWNED: example(
    "this hive belongs to queen queen-2c41",
    "Take it over: `rbee hives start localhost --take-over`",
    {
      owner: { id: "queen-2c41", name: "queen", epoch: 3, url: "http://127.0.0.1:7833" }
    }
  ),
  VERSION_MISMATCH: example("the queen is rbee 0.1.0 and this is 0.2.0", "Stop it: `rbee queen stop`"),
  PAYLOAD_TOO_LARGE: example("the body is over 1048576 bytes", "", { max_bytes: 1_048_576 }),
  LIMIT_REACHED: example("key ada has 2 of its 2 jobs at once", "Wait until one of them has ended", {
    limit: "concurrent",
    max: 2,
    used: 2,
    left: 0,
    retry_after_s: 1
  }),
  QUEUE_FULL: example("256 jobs wait already", "Try again in a moment", { queue_max: 256, retry_after_s: 1 }),
  CANCELLED: example("the job was cancelled"),
  INTERNAL: example("something went wrong inside", "The daemon's log has the cause under this correlation id"),
  WORKER_CRASHED: example("the worker was lost (its stream ended in mid-answer)", "See `rbee logs worker`"),
  WORKER_START_FAILED: example("the worker ended with code 1 before it was ready", "See `rbee logs worker`"),
  DOWNLOAD_FAILED: example("huggingface.co answers 500", "Try again later", { http_status: 500 }),
  CHECKSUM_MISMATCH: example("the file is not the one that its publisher names", "Try again"),
  SSH_AUTH_FAILED: example("no key opens user@gpu-box", "Add one to its authorized_keys"),
  SSH_HOST_KEY_UNKNOWN: example("gpu-box is not in known_hosts", "Look at its key, and accept it"),
  SSH_HOST_KEY_CHANGED: example("gpu-box shows another key than before", "Find out why before you go on"),
  SSH_UNREACHABLE: example("gpu-box cannot be reached on port 22", "Is it on?"),
  SSH_FAILED: example("gpu-box ended the session"),
  NODE_MISSING: example("there is no Node.js on gpu-box", "Install Node.js 20 or newer there"),
  NOT_INSTALLED: example("rbee is not on gpu-box", "Install it: `rbee hives install gpu-box`"),
  ALL_SLOTS_BUSY: example("all 4 slots are busy", "", { slots: 4 }),
  SHUTTING_DOWN: example("this daemon is ending", "Try again in a moment"),
  BACKEND_UNAVAILABLE: example("the worker's runtime could not be installed", "See `rbee logs hive`"),
  CONNECTION_TIMEOUT: example(
    "no connection to 127.0.0.1:7835: nothing listens there",
    "Check that the daemon runs there",
    loopback
  ),
  DEADLINE_EXCEEDED: example("the deadline 2026-01-31T12:00:00Z has passed", "", { deadline: "2026-01-31T12:00:00Z" }),
  DOWNLOAD_STALLED: example("nothing came for 60 s", "Try again: it goes on where it stopped"),
  LOADING_STALLED: example("loading made no progress for 120 s", "See `rbee logs worker`"),
  VRAM_EXHAUSTED: example("gpu0 has 5.1 GB free and 7.9 GB are needed", "Unload a worker, or take a smaller model", {
    required_mb: 7900,
    available_mb: 5100
  }),
  DISK_FULL: example("the disk has no room for 4.2 GB", "Make room: `rbee models gc`", { needed_mb: 4200 })
}
