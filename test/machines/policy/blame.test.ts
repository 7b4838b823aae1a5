import { describe, expect, it } from "vitest"
import { failures } from "../../../src/machines/kinds/llama/words.ts"
import { blameOf, type Ending, isTheDevices, plainWords } from "../../../src/machines/policy/blame.ts"

const ending = (more: Partial<Ending>): Ending => ({
  phase: "load",
  exitCode: undefined,
  signal: undefined,
  code: undefined,
  isEngines: false,
  isGivenUp: false,
  lastWords: "",
  hasRoom: true,
  ...more
})
const blame = (more: Partial<Ending>) => blameOf(ending(more), failures)
const toolchain =
  "CUDA error: the provided PTX was compiled with an unsupported toolchain.\nggml-cuda.cu:108: CUDA error"

describe("The end of a worker's process", () => {
  it.each(["SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"])(
    "by %s while it loads is the file's",
    (signal) => {
      expect(blame({ signal })).toBe("file")
      expect(blame({ signal, phase: "serve" })).toBe("request")
    }
  )

  it.each([
    [134, "file"],
    [139, "file"],
    [135, "file"],
    [136, "file"],
    [132, "file"],
    [133, "file"],
    [159, "file"],
    [129, "outside"],
    [130, "outside"],
    [137, "outside"],
    [143, "outside"]
  ] as const)("is read through a shell too: code %i", (exitCode, whose) => {
    expect(blame({ exitCode })).toBe(whose)
  })

  it.each(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])("by %s is nobody's here, in no phase", (signal) => {
    for (const phase of ["boot", "load", "serve"] as const) expect(blame({ signal, phase })).toBe("outside")
  })

  it("is the file's where the engine refuses it, and explained where its header tells", () => {
    expect(blame({ exitCode: 3, code: "MODEL_INVALID", isEngines: true })).toBe("file")
    expect(blame({ exitCode: 3, code: "MODEL_INVALID" })).toBe("explained")
    expect(blame({ exitCode: 3, code: "MODEL_NOT_FOUND" })).toBe("explained")
  })

  it.each([
    "CUDA error: out of memory\nggml-cuda.cu:108: CUDA error",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "ggml_vulkan: Device memory allocation failed: ErrorOutOfDeviceMemory",
    "alloc_tensor_range: failed to allocate CPU buffer of size 5",
    "mmap failed: Cannot allocate memory",
    "# Fatal process OOM in Failed to reserve virtual memory for CodeRange",
    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
  ])("is for want of memory where its words say so: %s", (lastWords) => {
    for (const phase of ["boot", "load", "serve"] as const)
      expect(blame({ signal: "SIGABRT", lastWords, phase })).toBe("memory")
    expect(blame({ signal: "SIGSEGV", lastWords })).toBe("memory")
  })

  it("is for want of memory without a word only if the ledger has none left and no other error is named", () => {
    expect(blame({ code: "VRAM_EXHAUSTED" })).toBe("memory")
    expect(blame({ signal: "SIGABRT", hasRoom: false })).toBe("memory")
    expect(blame({ signal: "SIGABRT", hasRoom: true })).toBe("file")
    expect(blame({ signal: "SIGABRT", hasRoom: false, lastWords: toolchain })).toBe("file")
    expect(blame({ signal: "SIGSEGV", hasRoom: false })).toBe("file")
  })

  it("is the installation's where program or runtime are not there, or not whole", () => {
    expect(blame({ exitCode: 3, code: "BACKEND_UNAVAILABLE" })).toBe("installation")
    for (const lastWords of [
      "Error: Cannot find module '/opt/rbee/dist/worker.js'\n  code: 'MODULE_NOT_FOUND'",
      "Error: /x/llama-addon.node: file too short\n  code: 'ERR_DLOPEN_FAILED'",
      "node could not be started: ENOENT",
      "SyntaxError: Unexpected end of input"
    ])
      expect(blame({ phase: "boot", exitCode: 1, lastWords })).toBe("installation")
    // a library that is half there: the process dies as the loader maps it, before a file was touched
    expect(blame({ phase: "boot", signal: "SIGBUS" })).toBe("installation")
  })

  it("is unclear where its hive gave it up, or it left with a code that says nothing", () => {
    expect(blame({ signal: "SIGKILL", isGivenUp: true })).toBe("unclear")
    expect(blame({ signal: "SIGKILL", isGivenUp: true, code: "LOADING_STALLED" })).toBe("unclear")
    expect(blame({ phase: "boot", exitCode: 9, lastWords: "no can do" })).toBe("unclear")
    expect(blame({ exitCode: 1 })).toBe("unclear")
    // by then the program was there
    expect(blame({ exitCode: 1, lastWords: "ENOENT" })).toBe("unclear")
  })
})

describe("A device", () => {
  it("is to blame where the bundled model fails too, or could not be tried and different files fail", () => {
    expect(isTheDevices("fails", 1)).toBe(true)
    expect(isTheDevices("works", 1)).toBe(false)
    expect(isTheDevices("works", 9)).toBe(false)
    expect(isTheDevices("unclear", 1)).toBe(false)
    expect(isTheDevices("unclear", 2)).toBe(true)
  })
})

describe("Last words", () => {
  it("are told in plain text: no log lines of ours, no stacks, no paths of who built the engine", () => {
    const said = [
      'sage":"worker listens on http://127.0.0.1:8601","logLevel":"INFO","annotations":{},"spans":{},"fiberId":"#0"}',
      '{"message":"worker listens on http://127.0.0.1:8601","logLevel":"INFO","spans":{},"fiberId":"#0"}',
      "/home/runner/work/llama.cpp/src/llama-model.cpp:1260: GGML_ASSERT(n_expert_used <= n_expert) failed",
      '[{"level":"info"}]',
      "[New LWP 1234]",
      "warning: process 12 is already traced",
      "ptrace: Operation not permitted.",
      "No stack.",
      "The program is not being run.",
      "#0  0x00007f in raise () from libc.so.6",
      "----- Native stack trace -----",
      "",
      " 1: 0xb7a3b0 node::Abort() [/usr/bin/node]",
      "10: 0x195e376  [/usr/bin/node]",
      "----- JavaScript stack trace -----",
      "1: file:///opt/rbee/worker.js:8:17",
      "2: run (node:internal/modules/esm/module_job:325:25)",
      "/opt/node(_ZN4node5AbortEv+0x1) [0x55d0c1]",
      "    at Module._compile (node:internal/modules/cjs/loader:1)"
    ].join("\n")
    expect(plainWords(said)).toBe("llama-model.cpp:1260: GGML_ASSERT(n_expert_used <= n_expert) failed")
  })

  it("are the last ones where there are many, and none where there are none", () => {
    expect(plainWords("")).toBe("")
    expect(plainWords("one\n\ntwo\n")).toBe("one; two")
    const long = plainWords(`${"a".repeat(400)} end`)
    expect(long).toHaveLength(300)
    expect(long.endsWith(" end")).toBe(true)
  })
})
