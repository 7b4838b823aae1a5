/** Machines that sleep: put to sleep by their hive or their owner, woken by a packet that has to get there. */
import * as Effect from "effect/Effect"
import type { Suspend, Wake } from "../../layers/power/index.ts"
import type { Kernel } from "./kernel/kernel.ts"
import { SeededRandom } from "./kernel/random.ts"
import type { Machine } from "./machine.ts"
import type { Links } from "./network/links.ts"
import type { SimProcess } from "./process.ts"

export interface Sleep {
  readonly mac: string
  /** what waking takes, milliseconds: from and to */
  readonly bootMs: readonly [number, number]
}

/** a system takes a moment from the command to the sleep */
const fallMs = [5, 1000] as const

/** The power button of one machine. */
export class Button {
  readonly mac: string
  readonly machine: Machine
  private readonly kernel: Kernel
  private readonly bootMs: Sleep["bootMs"]
  private readonly random: SeededRandom
  private isWaking = false

  constructor(kernel: Kernel, machine: Machine, { bootMs, mac }: Sleep, seed: number) {
    this.kernel = kernel
    this.machine = machine
    this.mac = mac
    this.bootMs = bootMs
    this.random = new SeededRandom(seed)
  }

  fall(): void {
    this.kernel.at(this.random.between(...fallMs), () => this.machine.sleep())
  }

  press(): void {
    if (!this.machine.isAsleep || this.isWaking) return
    this.isWaking = true
    this.kernel.at(this.random.between(...this.bootMs), () => {
      this.isWaking = false
      this.machine.awake()
    })
  }
}

/** `onSuspend` hears of it first. */
export const suspendOf = (button: Button | undefined, onSuspend: () => void): Suspend["Type"] => ({
  suspend: Effect.sync(() => {
    onSuspend()
    button?.fall()
  })
})

/** `onCall` hears of each packet that is sent. */
export const wakeOf = (
  process: SimProcess,
  links: Links,
  buttons: ReadonlyArray<Button>,
  onCall: (button: Button) => void
): Wake["Type"] => ({
  call: ({ mac }) =>
    Effect.sync(() => {
      const button = buttons.find((one) => one.mac === mac)
      if (button === undefined) return
      onCall(button)
      if (!links.isCut(process.machine, button.machine))
        process.kernel.at(links.delay(process.machine, button.machine), () => button.press())
    })
})
