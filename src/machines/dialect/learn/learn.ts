/**
 * What a template tells of how its model writes, without a word about any family: known words are rendered, and what
 * stands around them is read off the differences.
 */
import { contentOnly, type Dialect, type Manner } from "../dialect.ts"
import { withExceptions } from "../exceptions.ts"
import type { Render } from "../template.ts"
import { verified } from "../trial/verify.ts"
import { writtenAs } from "./form.ts"
import { learnReasoning } from "./reasoning.ts"
import { type Calls, learnCalls, type Shown } from "./tools.ts"
import { rolesOf, tellsTools } from "./roles.ts"
import { marksIn, type Scene, sceneOf, type Thinking } from "./scene.ts"
import { firstCall, Renders, secondCall, words } from "./renders.ts"

const manners: ReadonlyArray<Manner> = (["object", "text"] as const).flatMap((args) =>
  (["empty", "null", "text"] as const).map((content) => ({ arguments: args, content }))
)

/** Whether name, key and value of the call are all there. */
const showsCall = (text: string | undefined): text is string =>
  text !== undefined &&
  !text.includes(printed) &&
  [words.names[0], words.keys[0], words.values[0]].every((word) => text.includes(word))

/** An object where a template wants a text: it is printed as Python does. */
const printed = `{'${words.keys[0]}': '${words.values[0]}'`

/** The first manner in which the template shows a call. */
const shownIn = (render: Render): { readonly renders: Renders; readonly shown: Shown } | undefined => {
  for (const manner of manners) {
    const renders = new Renders(render, manner)
    const one = renders.turn({ calls: [firstCall] })
    if (!showsCall(one)) continue
    const two = renders.turn({ calls: [firstCall, secondCall] })
    return {
      renders,
      shown: {
        one,
        two: two?.includes(secondCall.name) === true ? two : undefined,
        beside: renders.turn({ content: words.text, calls: [firstCall] })
      }
    }
  }
  return undefined
}

export const learnDialect = (render: Render): Dialect => {
  const dialect = learned(render)
  const { tools } = dialect
  return {
    ...dialect,
    tools: tools === null || tellsTools(render) ? tools : { ...tools, told: false },
    roles: rolesOf(render, dialect)
  }
}

const learned = (render: Render): Dialect => {
  const found = shownIn(render)
  const renders = found?.renders ?? new Renders(render, { arguments: "object", content: "empty" })
  const scene = sceneOf(renders, found?.shown.one.slice(0, found.shown.one.indexOf(words.names[0])))
  if (scene.prompts.size === 0) return contentOnly("the template gives no prompt with the user's words")
  if (found === undefined) return withoutTools(renders, scene, "the template shows no calls")
  // text beside a call may stand within its marks: what opens the call is then found without it
  const tries = [found.shown, { ...found.shown, beside: undefined }].map((shown) =>
    learnedOf(render, renders, scene, shown)
  )
  return tries.find(({ tools }) => tools !== null) ?? tries[0] ?? contentOnly("")
}

const learnedOf = (render: Render, renders: Renders, scene: Scene, shown: Shown): Dialect => {
  const two = shown.two === undefined ? undefined : { text: shown.two, call: secondCall }
  const written = writtenAs(renders, shown.one, two)
  const first = written === undefined ? undefined : learnCalls(shown, written, scene, undefined)
  if (written === undefined || first === undefined)
    return withoutTools(renders, scene, "the form of its calls is not known")
  const reasoning = learnReasoning(renders, scene, first.open)
  const calls = learnCalls(shown, written, scene, reasoning?.close) ?? first
  return verified(withExceptions(assembled(renders, scene, calls, reasoning ?? null, shown)), render)
}

const withoutTools = (renders: Renders, scene: Scene, why: string): Dialect => ({
  ...contentOnly(why),
  reasoning: learnReasoning(renders, scene, undefined) ?? null,
  manner: renders.manner,
  end: marksIn(scene.after).slice(0, 1)
})

const assembled = (
  renders: Renders,
  scene: Scene,
  calls: Calls,
  reasoning: Dialect["reasoning"],
  shown: Shown
): Dialect => {
  const open = contentOpen(scene, reasoning)
  const close = calls.contentClose ?? contentClose(scene, shown.one)
  const carried = (mode: Thinking): string => {
    const trimmed = calls.open.trim()
    return trimmed !== "" && scene.prompts.get(mode)?.endsWith(trimmed) === true ? trimmed : ""
  }
  return {
    ...(calls.headAgain ? { head: scene.head } : {}),
    // where the prompt has opened a call already, content is opened in its place
    content: { ...(open === "" ? {} : { open: `${carried("default")}${open}` }), ...(close === "" ? {} : { close }) },
    reasoning,
    tools: {
      ...calls.tools,
      textBeside: calls.tools.textBeside && !thinksText(shown, reasoning),
      carry: { on: carried("on"), off: carried("off"), default: carried("default") },
      lossy: []
    },
    manner: renders.manner,
    end: endsOf(scene, close, shown.one),
    source: "learned"
  }
}

/** What the template writes before plain content, and no prompt has written. */
const contentOpen = ({ before, prompts }: Scene, reasoning: Dialect["reasoning"]): string => {
  const whole = [...prompts.values()]
    .filter((prompt) => before.startsWith(prompt))
    .sort((a, b) => b.length - a.length)[0]
  let open = whole === undefined ? "" : before.slice(whole.length)
  for (const mark of reasoning === null ? [] : [reasoning.close, reasoning.open])
    if (open.includes(mark)) open = open.slice(open.lastIndexOf(mark) + mark.length)
  return open.trim()
}

/** What ends an answer, and what ends one that calls, where that is another. */
const endsOf = (scene: Scene, close: string, one: string): ReadonlyArray<string> => {
  const marks = marksIn(scene.after).filter((mark) => !close.includes(mark))
  const after = one.slice(one.lastIndexOf(words.values[1]))
  const called = marks.filter((mark) => after.includes(mark)).sort((a, b) => after.indexOf(a) - after.indexOf(b))
  const plain = scene.after.replace(close, "").trim()
  if (marks.length === 0) return plain === "" ? [] : [plain]
  return [...new Set([...marks.slice(0, 1), ...called.slice(0, 1)])]
}

/** What closes plain content and no call. */
const contentClose = ({ after }: Scene, one: string): string => {
  const [first] = marksIn(after)
  return first !== undefined && after.trim().startsWith(first) && marksIn(after).length > 1 && !one.includes(first)
    ? first
    : ""
}

/** Text beside a call stands where reasoning does. */
const thinksText = ({ beside = "" }: Shown, reasoning: Dialect["reasoning"]): boolean => {
  if (reasoning === null) return false
  const text = beside.indexOf(words.text)
  const opened = beside.slice(0, text).lastIndexOf(reasoning.open)
  return opened >= 0 && !beside.slice(opened, text).includes(reasoning.close)
}
