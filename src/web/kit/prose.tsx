/**
 * A model's Markdown as elements, while it comes in. Whoever wrote it may not be trusted: there is no HTML in it, nothing
 * is fetched for it (an image is its words and its address), and a link leads to the web alone.
 */
import * as markdown from "streaming-markdown"
import { Attr, Token } from "streaming-markdown"
import { useEffect, useRef } from "preact/hooks"
import { toClipboard } from "./copy.tsx"

const headings: ReadonlyArray<Token> = [
  Token.Heading_1,
  Token.Heading_2,
  Token.Heading_3,
  Token.Heading_4,
  Token.Heading_5,
  Token.Heading_6
]

const isWeb = (address: string): boolean => /^(https?:\/\/|mailto:)/i.test(address)

type Data = markdown.Default_Renderer_Data

/** In place of the library's element, one that fetches nothing and is no part of the page's own order of headings. */
const put = (data: Data, element: HTMLElement): void => {
  const parent = data.nodes[data.index]
  parent?.append(element)
  data.nodes[++data.index] = element
}

const ofClass = (tag: "p" | "span", name: string): HTMLElement => {
  const element = document.createElement(tag)
  element.className = name
  return element
}

const note = (data: Data, attribute: Attr, value: string): void => {
  const element = data.nodes[data.index]
  if (element === undefined) return
  if (attribute === Attr.Src) element.title = value
  else if (attribute !== Attr.Href) {
    if (/^[\w+#.-]{1,40}$/.test(value)) markdown.default_set_attr(data, attribute, value)
  } else if (isWeb(value)) {
    element.setAttribute("href", value)
    element.setAttribute("rel", "noopener noreferrer nofollow")
    element.setAttribute("target", "_blank")
    element.title = value
  }
}

/** A block of code, with a button that copies it. */
const putCode = (data: Data): void => {
  const [block, pre, code] = (["div", "pre", "code"] as const).map((tag) => document.createElement(tag))
  if (block === undefined || pre === undefined || code === undefined) return
  const button = document.createElement("button")
  button.type = "button"
  button.textContent = "Copy code"
  button.addEventListener("click", () => {
    void toClipboard(code.textContent ?? "").then(
      (isDone) => (button.textContent = isDone ? "Copied" : "Not allowed here")
    )
  })
  block.className = "code"
  pre.append(code)
  block.append(button, pre)
  data.nodes[data.index]?.append(block)
  data.nodes[++data.index] = code
}

const renderer = (root: HTMLElement): markdown.Default_Renderer => ({
  ...markdown.default_renderer(root),
  add_token: (data, token) => {
    const level = headings.indexOf(token)
    if (level >= 0) put(data, ofClass("p", `heading heading-${level + 1}`))
    else if (token === Token.Code_Block || token === Token.Code_Fence) putCode(data)
    else if (token === Token.Image) put(data, ofClass("span", "image"))
    else markdown.default_add_token(data, token)
  },
  set_attr: note
})

interface Reading {
  readonly parser: markdown.Parser
  read: string
}

export const Prose = ({ isWhole, text }: { readonly text: string; readonly isWhole: boolean }) => {
  const root = useRef<HTMLDivElement>(null)
  const reading = useRef<Reading | undefined>(undefined)
  useEffect(() => {
    const element = root.current
    if (element === null) return
    // what was shown is another text's beginning, or had been ended
    if (reading.current === undefined || !text.startsWith(reading.current.read)) {
      element.replaceChildren()
      reading.current = { parser: markdown.parser(renderer(element)), read: "" }
    }
    markdown.parser_write(reading.current.parser, text.slice(reading.current.read.length))
    reading.current.read = text
    if (!isWhole) return
    markdown.parser_end(reading.current.parser)
    reading.current = undefined
  }, [text, isWhole])
  return <div class="prose" ref={root} />
}
