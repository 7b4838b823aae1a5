import { assert, describe, it } from "@effect/vitest"
import { breaches, circles, circlesOfRooms, longFunctions, rooms } from "../../tools/check-house.mjs"

describe("the house rules", () => {
  it("let imports point one way only", () => {
    const from = (path: string, to: string) => breaches(path, `import { x } from "${to}"`)
    assert.lengthOf(from("src/machines/job.ts", "../actors/queen/queen.ts"), 1)
    assert.lengthOf(from("src/protocol/sse.ts", "../layers/process/index.ts"), 1)
    assert.lengthOf(from("src/layers/process/node.ts", "../../actors/queen/queen.ts"), 1)
    assert.lengthOf(from("src/actors/queen/jobs/job.ts", "../../../simulator/run/run.ts"), 1)
    assert.lengthOf(from("src/simulator/run/run.ts", "../../main/queen.ts"), 1)
    assert.lengthOf(from("src/inspector/store.ts", "../layers/process/index.ts"), 1)
    assert.lengthOf(from("src/inspector/store.ts", "../web/chat/store.ts"), 1)
    assert.lengthOf(from("src/inspector/store.ts", "../web/kit/call.ts"), 0)
    assert.lengthOf(from("src/actors/queen/jobs/job.ts", "../../../layers/process/node.ts"), 1)
    assert.lengthOf(from("src/actors/queen/jobs/job.ts", "../../../layers/process/index.ts"), 0)
    assert.lengthOf(from("src/actors/queen/jobs/job.ts", "../../../protocol/sse.ts"), 0)
    assert.lengthOf(from("src/main/queen.ts", "../actors/queen/queen.ts"), 0)
  })

  it("let nobody name a kind of workers but where the kinds are at home", () => {
    const naming = (path: string, to: string) => breaches(path, `import { x } from "${to}"`)
    assert.lengthOf(naming("src/main/hive.ts", "../layers/runtimes/llama/gpus.ts"), 1)
    assert.lengthOf(naming("src/layers/devices/vulkan.ts", "../../machines/kinds/llama/llama.ts"), 1)
    assert.lengthOf(naming("src/layers/kinds/runtimes.ts", "../../machines/kinds/llama/llama.ts"), 0)
    assert.lengthOf(naming("src/main/hive.ts", "../layers/kinds/runtimes.ts"), 0)
  })

  it("keep time and chance in the layers", () => {
    for (const line of [
      "setTimeout(f, 1)",
      "const t = Date.now()",
      "Math.random()",
      "crypto.randomUUID()",
      "new Date()"
    ]) {
      assert.lengthOf(breaches("src/actors/queen/jobs/job.ts", line), 1, line)
      assert.lengthOf(breaches("src/layers/turns/node.ts", line), 0, line)
    }
  })

  it("let no files import each other in a circle, not for types either, and not over others", () => {
    const texts = (...files: ReadonlyArray<readonly [path: string, ...imports: ReadonlyArray<string>]>) =>
      new Map(
        files.map(([path, ...imports]) => [path, imports.map((to) => `import type { X } from "${to}"`).join("\n")])
      )
    const both = texts(
      ["src/a.ts", "./b/c.ts"],
      ["src/b/c.ts", "../d.ts"],
      ["src/d.ts", "./a.ts"],
      ["src/e.ts", "./a.ts"]
    )
    assert.sameMembers(circles(both).flat(), ["src/a.ts", "src/b/c.ts", "src/d.ts"])
    assert.lengthOf(circles(both), 1)
    assert.lengthOf(circles(texts(["src/a.ts", "./a.ts"])), 1)
    assert.deepEqual(
      circles(texts(["src/a.ts", "./b.ts", "./c.ts"], ["src/b.ts", "./c.ts"], ["src/c.ts", "effect"])),
      []
    )
  })

  it("let no rooms of the actors import each other, by whichever of their files", () => {
    const importing = (path: string, to: string) => [path, `import type { X } from "${to}"`] as const
    const down = importing("src/actors/queen/server.ts", "../surfaces/openai.ts")
    const up = importing("src/actors/surfaces/chunks.ts", "../queen/log/job-log.ts")
    assert.deepEqual(circlesOfRooms(new Map([down]), "src/actors"), [])
    assert.deepEqual(
      circlesOfRooms(new Map([down, up]), "src/actors").map((circle) => circle.toSorted()),
      [["queen", "surfaces"]]
    )
  })

  it("leave no way out of the types", () => {
    for (const line of ["const x: any = 1", "y as any", "z as unknown as string", "// @ts-ignore"]) {
      assert.lengthOf(breaches("src/layers/a.ts", line), 1, line)
    }
  })

  it("has facts of errors read through their table, where they have types", () => {
    const reads = ['error.details["status"]', "const { reason } = error.details", "if (cause.details.permanent) x()"]
    for (const line of reads) assert.lengthOf(breaches("src/actors/queen/jobs/job.ts", line), 1, line)
    const passed = [
      "const { status: _, ...details } = error.details",
      "details: error.details,",
      "{ ...error.details }"
    ]
    for (const line of passed) assert.lengthOf(breaches("src/actors/queen/jobs/job.ts", line), 0, line)
  })

  it("let no room be too large, too small, or without a word about what lives there", () => {
    const many = Array.from({ length: 15 }, (_, n) => `src/a/${n}.ts`)
    const [readme, other] = ["src/README.md", "src/b.ts"]
    assert.deepEqual(rooms([readme, other, "src/a/README.md", ...many.slice(1)]), [])
    assert.lengthOf(rooms([readme, other, "src/a/README.md", ...many]), 1, "15 files")
    assert.lengthOf(rooms([readme, other, "src/a/README.md", "src/a/one.ts"]), 1, "one file")
    assert.lengthOf(rooms([readme, other, ...many.slice(1)]), 1, "no README.md")
  })

  it("let functions fit on a screen, or say why they do not", () => {
    const found = (...texts: ReadonlyArray<string>) => longFunctions("src/actors/a.ts", texts.join("\n"))
    const body = (lines: number, depth = 1) => Array.from({ length: lines }, () => `${"  ".repeat(depth)}step()`)
    for (const head of ["export const one = () => {", "function one() {", "const one = Effect.gen(function* () {"]) {
      assert.deepEqual(found(head, ...body(68), "}"), [], head)
      assert.lengthOf(found(head, ...body(69), "}"), 1, head)
      assert.deepEqual(found("// long: each step is one line of a table", head, ...body(69), "}"), [], head)
      assert.lengthOf(found("// it is what it is", head, ...body(69), "}"), 1, head)
    }
    const wide = ["export const one = (", "  a: number", "): number => {", ...body(67), "}"]
    assert.match(found(...wide)[0] ?? "", /^src\/actors\/a.ts:1 a function of 71 lines/)
    assert.deepEqual(found("const one = () =>", "  all([", ...body(66, 2), "  ])", ""), [])
    assert.lengthOf(found("class One {", "  private two(a: number): void {", ...body(69, 2), "  }", "}"), 1)
    // what holds many short ones
    assert.deepEqual(found("class One {", ...body(100), "}", "const all = {", ...body(100), "}"), [])
    assert.deepEqual(found("const one = () => {", "  if (so) {", ...body(60, 2), "  }", "}"), [])
  })
})
