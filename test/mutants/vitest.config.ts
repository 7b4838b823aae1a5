/** The tests that a mutation run has for its room (tools/mutants.mjs). */
import { defineConfig } from "vitest/config"
import { rooms } from "../../tools/mutants.mjs"

const room = rooms.find(({ name }) => name === process.env["RBEE_MUTANTS"])
if (room === undefined) throw new Error("started by `npm run mutate`")

export default defineConfig({ test: { include: room.tests, exclude: room.without, testTimeout: 20_000 } })
