/** `rbee hub DIR`: serves a folder of GGUF files to machines without internet, until a signal ends it. */
import { isAbsolute, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { hubPort } from "../../../layers/hub/index.ts"
import { serveHub } from "../../../layers/hub/server.ts"
import type { Context } from "../spec.ts"

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`

export const hub = (
  folder: string,
  flags: { readonly port: number | undefined; readonly host: string | undefined },
  context: Context
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { port = hubPort, host = "127.0.0.1" } = flags
      const dir = isAbsolute(folder) ? folder : resolve(process.cwd(), folder)
      const { repos, url } = yield* serveHub({ folder: dir, host, port })
      const out = (line: string) => context.terminal.stdout.write(`${line}\n`)
      out(`hub of ${dir} on ${url}`)
      for (const { author, files, repo } of repos)
        for (const { bytes, path } of files) out(`  HF:${author}/${repo}:${path}  ${gigabytes(bytes)}`)
      if (repos.length === 0) out("  no GGUF files here yet")
      out(`use it: HF_ENDPOINT=${url} rbee infer --model HF:AUTHOR/REPO:QUANT "hello"`)
      // a server ends in no other way
      yield* context.terminal.interrupted
      return 0
    })
  )
