/** The frame of the page: where one is, and where else one may go. */
import type { ComponentChildren } from "preact"
import { useEffect } from "preact/hooks"
import { signOut } from "./kit/kept-key.ts"
import { keyShown } from "./kit/key.ts"
import { Brand } from "./kit/page/brand.tsx"

export const places = ["chat", "models", "machines", "usage"] as const
export type Place = (typeof places)[number]

export const placeOf = (hash: string): Place => places.find((place) => hash === `#${place}`) ?? "chat"

const names: Readonly<Record<Place, string>> = {
  chat: "Chat",
  models: "Models",
  machines: "Machines",
  usage: "Usage"
}

interface FrameProps {
  readonly place: Place
  readonly children: ComponentChildren
}

export const Frame = ({ children, place }: FrameProps) => {
  useEffect(() => {
    document.title = `${names[place]} · rbee`
  }, [place])
  return (
    <div class="frame">
      <header class="top">
        <Brand />
        <nav aria-label="Pages">
          {places.map((one) => (
            <a key={one} href={`#${one}`} aria-current={one === place ? "page" : undefined}>
              {names[one]}
            </a>
          ))}
          <a href="/inspect">Under the hood</a>
        </nav>
        {keyShown() === undefined ? null : (
          <>
            <span class="grow" />
            <button type="button" onClick={signOut}>
              Sign out
            </button>
          </>
        )}
      </header>
      <main>{children}</main>
    </div>
  )
}
