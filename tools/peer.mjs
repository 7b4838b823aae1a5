/** `npm run peer`: builds llama.cpp's own server, for benchmarks. */
import { buildPeer } from "./llama-server.mjs"

process.stdout.write(`${await buildPeer()}\n`)
