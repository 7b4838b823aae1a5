/** `npm run fuzz -- --minutes N`: bundles test/fuzz/main.ts, and the worker that it gives to a hive, and runs it. */
import { fileURLToPath, pathToFileURL } from "node:url"
import { bundle } from "./build.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
process.chdir(root)
await bundle({ main: "test/fuzz/main.ts", "worker-program": "test/fuzz/worker-program.ts" }, ".bench/fuzz")
const { run } = await import(pathToFileURL(`${root}/.bench/fuzz/main.js`).href)
await run(process.argv.slice(2))
