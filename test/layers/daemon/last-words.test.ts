import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { DaemonFiles } from "../../../src/layers/daemon/index.ts"
import { lastWords } from "../../../src/layers/daemon/last-words.ts"
import { layerNode } from "../../../src/layers/daemon/node.ts"

it.effect(
  "A daemon's last words are the last error behind the offset, else the last line, else that there are none",
  () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-last-words-"))),
        (made) => Effect.sync(() => rmSync(made, { recursive: true }))
      )
      const files = yield* DaemonFiles
      const file = join(folder, "queen.log")
      const said = (offset: number) => Effect.map(files.tail(file, offset), lastWords)
      expect(yield* said(0)).toBe("it wrote nothing to its log")
      writeFileSync(file, '{"message":"old","logLevel":"ERROR"}\n')
      const offset = yield* files.size(file)
      expect(yield* said(offset)).toBe("it wrote nothing to its log")
      writeFileSync(file, "starting\nTypeError: x is not a function\n    at y\n", { flag: "a" })
      expect(yield* said(offset)).toBe("TypeError: x is not a function")
      writeFileSync(file, "put aside\n")
      expect(yield* said(offset)).toBe("put aside")
    }).pipe(Effect.scoped, Effect.provide(layerNode))
)
