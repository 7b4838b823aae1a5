/** The queen's page, for a browser. */
import { render } from "preact"
import { useEffect, useState } from "preact/hooks"
import { Chat } from "./chat/chat.tsx"
import { ChatStore } from "./chat/store.ts"
import { loadModels } from "./models.ts"
import { Frame, placeOf } from "./views/frame.tsx"
import { Machines } from "./views/machines.tsx"
import { Models } from "./views/models.tsx"
import { useRemote } from "./views/remote.ts"
import { Shown } from "./views/shown.tsx"

const store = new ChatStore()

const App = () => {
  const [place, go] = useState(placeOf(location.hash))
  const [, redraw] = useState(0)
  const models = useRemote(loadModels)
  useEffect(() => store.subscribe(() => redraw((count) => count + 1)), [])
  useEffect(() => {
    const follow = () => go(placeOf(location.hash))
    addEventListener("hashchange", follow)
    return () => removeEventListener("hashchange", follow)
  }, [])
  return (
    <Frame place={place}>
      {place === "chat" ? (
        <Shown of={models}>{(list) => <Chat store={store} models={list} />}</Shown>
      ) : place === "models" ? (
        <Models />
      ) : (
        <Machines />
      )}
    </Frame>
  )
}

const root = document.getElementById("app")
if (root !== null) render(<App />, root)
