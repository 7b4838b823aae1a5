/** One simulated connection between two processes: what is sent arrives in order, late, or never. */
import type { Links } from "./links.ts"
import type { SimProcess } from "../process.ts"

export class Connection {
  readonly client: SimProcess
  readonly server: SimProcess
  isOpen = true
  /** a fault: what is sent next arrives in part, and then the connection breaks */
  cutsNext = false
  /** what a side does when the other end, or the wire, breaks the connection */
  onBreak: { client?: () => void; server?: () => void } = {}
  private readonly links: Links
  /** when the last packet of a direction arrives: none overtakes another */
  private readonly arrival = { client: 0, server: 0 }
  private readonly left = { client: false, server: false }

  constructor(links: Links, client: SimProcess, server: SimProcess) {
    this.links = links
    this.client = client
    this.server = server
  }

  /** Hands `receive` to the process at `to`, as a step of it. The sender may be gone by then; the receiver must not. */
  send(to: "client" | "server", receive: () => void): void {
    const [from, target] = to === "server" ? [this.client, this.server] : [this.server, this.client]
    this.packet(to, from, target, () => {
      if (!this.left[to]) target.post(this, () => (this.left[to] ? undefined : receive()))
    })
  }

  /** This side is done with it; the other hears of it as a broken connection, unless it was done before. */
  leave(side: "client" | "server"): void {
    if (this.left[side]) return
    this.left[side] = true
    const other = side === "client" ? "server" : "client"
    if (this.left.client && this.left.server) this.isOpen = false
    this.send(other, () => {
      this.left[other] = true
      this.isOpen = false
      this.onBreak[other]?.()
    })
  }

  /** A fault: both ends find it broken. */
  reset(): void {
    for (const side of ["client", "server"] as const) {
      if (this.left[side]) continue
      const target = side === "client" ? this.client : this.server
      target.post(this, () => {
        if (this.left[side]) return
        this.left[side] = true
        this.isOpen = false
        this.onBreak[side]?.()
      })
    }
  }

  private packet(to: "client" | "server", from: SimProcess, target: SimProcess, deliver: () => void): void {
    this.links.whenOpen(from.machine, target.machine, () => {
      const { kernel } = from
      const at = Math.max(this.arrival[to], kernel.now + this.links.delay(from.machine, target.machine))
      // strictly later: the seed's order of equal timers must not reorder a connection
      this.arrival[to] = at + 1e-6
      kernel.at(at - kernel.now, () => {
        // cut while it was on its way
        if (this.links.isCut(from.machine, target.machine)) this.packet(to, from, target, deliver)
        else deliver()
      })
    })
  }
}
