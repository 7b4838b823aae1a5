/** How a model calls tools: what opens a call, what stands between two and what ends them, around the form. */
import type { Mark, Tools } from "../dialect.ts"
import { commonEnd, commonStart, holes, longest, markOf, withoutEnd } from "./atoms.ts"
import { marksIn, type Scene } from "./scene.ts"
import { type Span, withHoles, type Written } from "./form.ts"
import { firstCall, secondCall, words } from "./renders.ts"

/** The renders that show a call. */
export interface Shown {
  readonly one: string
  readonly two: string | undefined
  /** text and a call */
  readonly beside: string | undefined
}

/** What is learned of the calls, and of the content beside them. */
export interface Calls {
  readonly tools: Omit<Tools, "carry" | "lossy">
  /** as text, for others to cut at */
  readonly open: string
  readonly contentClose: string | undefined
  /** the head of a message comes again between text and call */
  readonly headAgain: boolean
}

/** After the last call: up to what ends any answer. */
export const closing = (after: string, scene: Scene): string => {
  const ends = marksIn(scene.after)
    .map((mark) => after.indexOf(mark))
    .filter((at) => at >= 0)
  return (
    ends.length > 0 ? after.slice(0, Math.min(...ends)) : withoutEnd(after, commonEnd(after, scene.after))
  ).trimEnd()
}

/** Between the text and the call, where a template writes the text first. */
const besideText = (shown: Shown, written: Written): string | undefined => {
  const { beside } = shown
  const text = beside?.indexOf(words.text) ?? -1
  const span = beside === undefined ? undefined : written.spanOf(beside, firstCall)
  if (beside === undefined || span === undefined || text === -1 || text > span.start) return undefined
  return beside.slice(text + words.text.length, span.start)
}

/** What opens the first call, of all that stands before it. */
const opening = (before: string, beside: string | undefined, scene: Scene): string => {
  const known = [...scene.prompts.values(), scene.before]
  const whole = longest([...scene.prompts.values()].filter((prompt) => before.startsWith(prompt)))
  const alone = before.slice(longest(known.map((text) => commonStart(before, text))).length)
  const afterPrompt = whole === "" ? "" : before.slice(whole.length)
  let open = beside === undefined ? alone : commonEnd(before, beside)
  // a prompt that goes before it is no part of it
  if (afterPrompt.trim() !== "" && (afterPrompt.length < open.length || open.trim() === "")) open = afterPrompt
  const head = open.lastIndexOf(scene.head)
  return scene.head !== "" && head >= 0 ? open.slice(head + scene.head.length) : open
}

const spans = (two: string | undefined, written: Written): readonly [Span, Span] | undefined => {
  const first = two === undefined ? undefined : written.spanOf(two, firstCall)
  if (two === undefined || first === undefined) return undefined
  const rest = written.spanOf(two.slice(first.end), secondCall)
  return rest === undefined ? undefined : [first, { start: rest.start + first.end, end: rest.end + first.end }]
}

/** Whether both calls stand in one list. */
const oneList = (two: string | undefined, written: Written): boolean =>
  written.form._tag === "json" && written.form.list && two !== undefined && two.includes(secondCall.name)

const bothHoles = (text: string): string => withHoles(withHoles(text, firstCall), secondCall)

export const learnCalls = (
  shown: Shown,
  written: Written,
  scene: Scene,
  closed: string | undefined
): Calls | undefined => {
  const { one, two } = shown
  const span = written.spanOf(one, firstCall)
  if (span === undefined) return undefined
  const beside = besideText(shown, written)
  const found = opening(one.slice(0, span.start), beside, scene)
  const common = beside === undefined ? "" : commonStart(beside, scene.after)
  const contentClose = common.trim() === "" ? undefined : common
  let open = contentClose !== undefined && found.startsWith(contentClose) ? found.slice(contentClose.length) : found
  if (closed !== undefined && open.includes(closed)) open = open.slice(open.lastIndexOf(closed) + closed.length)
  const both = oneList(two, written) ? undefined : spans(two, written)
  const closes = [
    ...(both === undefined || two === undefined ? [] : [closing(two.slice(both[1].end), scene)]),
    closing(one.slice(span.end), scene)
  ].map(bothHoles)
  const close: ReadonlyArray<Mark> = [...new Set(closes)].filter((text) => text.trim() !== "").map(markOf)
  const between = both === undefined || two === undefined ? undefined : bothHoles(two.slice(both[0].end, both[1].start))
  return {
    tools: {
      open: markOf(counted(withHoles(open, firstCall).trimStart(), between)),
      ...(between === undefined ? {} : { between: markOf(between) }),
      close,
      form: written.form,
      parallel: both !== undefined || oneList(two, written),
      textBeside: beside !== undefined,
      needsSchema: written.form._tag === "elements" && written.form.values === "raw" && written.form.typed === undefined
    },
    open: open.trimStart(),
    contentClose: contentClose?.trim(),
    headAgain: scene.head !== "" && [beside, between, found].some((text) => text?.includes(scene.head) === true)
  }
}

/** A number in what opens the first call is the second's in what stands between: it counts. */
const counted = (open: string, between: string | undefined): string => {
  const own = /\d+/.exec(open)?.[0]
  if (own === undefined || between === undefined || !between.includes(String(Number(own) + 1))) return open
  return open.replace(own, holes.index)
}
