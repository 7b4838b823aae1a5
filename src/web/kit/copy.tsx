/** A button that puts a text on the clipboard. */
import { useState } from "preact/hooks"

/** Where the page came over plain HTTP from another machine, browsers have no clipboard for it: the old way works there. */
export const toClipboard = async (text: string): Promise<boolean> => {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = document.createElement("textarea")
    field.value = text
    document.body.append(field)
    field.select()
    const isDone = document.execCommand("copy")
    field.remove()
    return isDone
  }
}

const words = { ready: "Copy", done: "Copied", failed: "Not allowed here" } as const

export const Copy = ({ text, what }: { readonly text: string; readonly what: string }) => {
  const [state, setState] = useState<keyof typeof words>("ready")
  const copy = async () => setState((await toClipboard(text)) ? "done" : "failed")
  return (
    <button type="button" aria-label={state === "ready" ? `Copy ${what}` : words[state]} onClick={() => void copy()}>
      {words[state]}
    </button>
  )
}
