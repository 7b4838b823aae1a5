/**
 * The bars of a job's lane: its phases. From the loss of its worker until tokens come again it is one gap, whatever was
 * done meanwhile: that is what whoever waits for the answer sees.
 */
import { isEnd, type Phase } from "./model.ts"

export interface Span extends Phase {
  /** what it is made of */
  readonly parts: ReadonlyArray<Phase>
}

export const spansOf = (phases: ReadonlyArray<Phase>): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  for (const phase of phases) {
    const last = spans.at(-1)
    if (last?.state === "degraded" && phase.state !== "streaming" && !isEnd(phase.state))
      spans.splice(-1, 1, { ...last, to: phase.to, parts: [...last.parts, phase] })
    else spans.push({ ...phase, parts: [phase] })
  }
  return spans
}

/** What a bar's colour means. */
export const spanName = (state: string): string => (state === "degraded" ? "failing over" : state)
