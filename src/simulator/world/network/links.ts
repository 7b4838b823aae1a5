/**
 * The wires between machines: how long a packet takes, and which of them are cut. Like TCP, a cut wire loses nothing
 * that it had taken: it is sent again when the wire heals, if its connection still stands then.
 */
import type { Kernel } from "../kernel/kernel.ts"
import type { Host } from "../process.ts"

export interface Latency {
  readonly minMs: number
  readonly maxMs: number
}

/** within one machine */
const loopback: Latency = { minMs: 0.02, maxMs: 0.3 }

export class Links {
  private readonly kernel: Kernel
  private readonly latency: Latency
  /** `from>to`, each direction for itself: a wire may be half-open */
  private readonly cuts = new Set<string>()
  private waiting: Array<{ readonly wire: string; readonly send: () => void }> = []

  constructor(kernel: Kernel, latency: Latency) {
    this.kernel = kernel
    this.latency = latency
  }

  delay(from: Host, to: Host): number {
    const { minMs, maxMs } = from === to ? loopback : this.latency
    return this.kernel.random.between(minMs, maxMs)
  }

  isCut(from: Host, to: Host): boolean {
    return from !== to && this.cuts.has(`${from.name}>${to.name}`)
  }

  /** Runs `send` now, or once the wire heals. */
  whenOpen(from: Host, to: Host, send: () => void): void {
    if (this.isCut(from, to)) this.waiting.push({ wire: `${from.name}>${to.name}`, send })
    else send()
  }

  cut(from: string, to: string): void {
    this.kernel.note(`cut ${from}>${to}`)
    this.cuts.add(`${from}>${to}`)
  }

  heal(from: string, to: string): void {
    const wire = `${from}>${to}`
    if (!this.cuts.delete(wire)) return
    this.kernel.note(`heal ${wire}`)
    const { waiting } = this
    this.waiting = waiting.filter((each) => each.wire !== wire)
    for (const each of waiting) if (each.wire === wire) each.send()
  }
}
