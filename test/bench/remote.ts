/**
 * What the SSH tunnel to another machine costs: streams of tokens (flat out, and paced as answers are) and the copy of a
 * model that the queen's machine has, against `--direct`, and against OpenSSH's own `ssh -L` and `scp`. The other machine
 * is a network namespace with a real sshd; both ends share this machine's cores. Interleaved.
 *
 * `npm run bench -- remote [MB=1024] [ROUNDS=5]`; needs root, sshd, and four times that much room in the temp folder.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { hasNamespaces, makeNamespace } from "../support/namespace.ts"
import { hasSshd, makeRemote } from "../support/remote.ts"
import { type Copies, openCopies } from "./remote-parts/copies.ts"
import {
  type Load,
  openStreams,
  playWorker,
  type StreamFigure,
  type Streams,
  type Way
} from "./remote-parts/streams.ts"
import { interleaved, median, quantile, ratio, report, type Row } from "./support.ts"

const ways: ReadonlyArray<Way> = ["tunnel", "ssh -L", "direct"]
const flat: Load = { streams: 50, tokens: 1000, pace: 0 }
const paced: Load = { streams: 200, tokens: 60, pace: 30 }
const single: Load = { streams: 1, tokens: 1, pace: 0 }

type Figures = Readonly<Record<Way, ReadonlyArray<StreamFigure>>>

const measured = (streams: Streams, work: Load, rounds: number): Promise<Figures> =>
  interleaved(
    {
      tunnel: () => streams.run("tunnel", work),
      "ssh -L": () => streams.run("ssh -L", work),
      direct: () => streams.run("direct", work)
    },
    rounds
  )

/** One row a way; beside the others stands what the tunnel is of them. */
const rowsOf = (
  title: string,
  figures: Figures,
  unit: string,
  of: (figure: StreamFigure) => number
): ReadonlyArray<Row> =>
  ways.map((way) => {
    const row = { what: `${title}, ${way}`, value: median(figures[way].map(of)), unit }
    if (way === "tunnel") return row
    const { median: times, p5, p95 } = ratio(figures.tunnel.map(of), figures[way].map(of))
    return { ...row, against: `tunnel × ${times.toFixed(2)}, p5 ${p5.toFixed(2)}, p95 ${p95.toFixed(2)}` }
  })

const streamRows = async (streams: Streams, rounds: number) => {
  const fast = await measured(streams, flat, rounds)
  const slow = await measured(streams, paced, rounds)
  const first = await measured(streams, single, 20 * rounds)
  const rows = [
    ...rowsOf("50 streams flat out", fast, "tokens/s", ({ tokensPerS }) => tokensPerS),
    ...rowsOf("50 streams flat out, CPU a token", fast, "µs", ({ cpuUs }) => cpuUs),
    ...rowsOf("200 × 30/s, CPU a token", slow, "µs", ({ cpuUs }) => cpuUs),
    ...rowsOf("200 × 30/s, jitter p99", slow, "ms", ({ jitterMs }) => quantile(jitterMs, 0.99)),
    ...rowsOf("first token, one stream", first, "ms", ({ firstMs }) => firstMs[0] ?? Number.NaN)
  ]
  const brief = (figures: Figures) =>
    ways.map((way) =>
      figures[way].map(({ cpuUs, firstMs, jitterMs, tokensPerS }) => ({
        way,
        tokensPerS,
        cpuUs,
        firstMs: median(firstMs),
        ...(jitterMs.length === 0 ? {} : { jitterMs: [quantile(jitterMs, 0.5), quantile(jitterMs, 0.99)] })
      }))
    )
  return { rows, raw: { flat: brief(fast), paced: brief(slow), first: brief(first) } }
}

const copyRows = async ({ byHive, byScp, bytes }: Copies, rounds: number) => {
  const scps: Array<{ readonly ms: number; readonly checkedMs: number }> = []
  const figures = await interleaved(
    {
      tunnel: () => byHive("tunnelled"),
      direct: () => byHive("direct"),
      scp: async () => {
        const figure = await byScp()
        scps.push(figure)
        return figure.ms
      }
    },
    rounds
  )
  const checked = scps.slice(-rounds).map(({ checkedMs }) => checkedMs)
  const rate = (times: ReadonlyArray<number>) => bytes / 1e6 / (median(times) / 1000)
  const row = (what: string, times: ReadonlyArray<number>): Row => ({
    what: `copy, ${what}`,
    value: rate(times),
    unit: "MB/s"
  })
  // speeds, so that more is better: the other's time by ours
  const against = (what: string, ours: ReadonlyArray<number>, theirs: ReadonlyArray<number>): Row => {
    const { median: value, p5, p95, pairs } = ratio(theirs, ours)
    return {
      what: `copy, ${what}`,
      value,
      unit: "×",
      against: `p5 ${p5.toFixed(2)}, p95 ${p95.toFixed(2)}, ${pairs} pairs`
    }
  }
  const rows = [
    { what: "copy, file", value: bytes / 1e6, unit: "MB" },
    row("through the tunnel, verified and published", figures.tunnel),
    row("direct, verified and published", figures.direct),
    row("scp", figures.scp),
    row("scp, then sha256sum there", checked),
    against("tunnel ÷ scp", figures.tunnel, figures.scp),
    against("tunnel ÷ scp then sha256sum", figures.tunnel, checked),
    against("tunnel ÷ direct", figures.tunnel, figures.direct),
    against("direct ÷ scp then sha256sum", figures.direct, checked)
  ]
  return { rows, raw: { ...figures, checked } }
}

export const run = async (args: ReadonlyArray<string>): Promise<void> => {
  const [megabytes = 1024, rounds = 5] = args.map(Number)
  if (!hasSshd || !hasNamespaces) {
    process.stdout.write("remote: skipped, it needs root, /usr/sbin/sshd and `ip netns`\n")
    return
  }
  const folder = mkdtempSync(join(tmpdir(), "rbee-bench-remote-"))
  const link = makeNamespace()
  const ends: Array<() => Promise<void>> = []
  try {
    const there = await makeRemote({
      installed: true,
      env: { HF_HOME: join(folder, "far-hf"), HF_ENDPOINT: "http://127.0.0.1:9" },
      within: { prefix: link.prefix, address: link.address, port: 2222 }
    })
    ends.push(there.dispose)
    const streams = await openStreams(link, there, fileURLToPath(import.meta.url))
    ends.push(streams.close)
    const tokens = await streamRows(streams, rounds)
    const copies = await openCopies(there, folder, megabytes)
    ends.push(copies.close)
    const copied = await copyRows(copies, rounds)
    report("remote", [...tokens.rows, ...copied.rows], { tokens: tokens.raw, copies: copied.raw })
  } finally {
    for (const end of ends.toReversed()) await end()
    link.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

await playWorker()
