/** What views read, and are drawn anew when it changes. */
import { useEffect, useState } from "preact/hooks"

export class Observed {
  private readonly listeners = new Set<() => void>()

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  changed(): void {
    for (const listener of this.listeners) listener()
  }
}

export const useChanges = (of: Observed): void => {
  const [, redraw] = useState(0)
  useEffect(() => of.subscribe(() => redraw((count) => count + 1)), [of])
}
