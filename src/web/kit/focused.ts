/** What takes the place of what had the focus takes the focus too, so that the keyboard goes on there. */
import type { RefObject } from "preact"
import { useEffect, useRef } from "preact/hooks"

export const useFocused = <Element extends HTMLElement>(): RefObject<Element> => {
  const element = useRef<Element>(null)
  useEffect(() => element.current?.focus(), [])
  return element
}
