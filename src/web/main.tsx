/** The queen's page, for a browser. */
import { render } from "preact"
import { useEffect, useState } from "preact/hooks"
import { useChanges } from "./kit/page/observed.ts"
import { Chat } from "./chat/chat.tsx"
import { ChatStore } from "./chat/store.ts"
import { loadModels } from "./chat/askable.ts"
import { Frame, placeOf } from "./frame.tsx"
import { keptKey } from "./kit/kept-key.ts"
import { showKey } from "./kit/key.ts"
import { useRemote } from "./kit/remote.ts"
import { Shown } from "./kit/shown.tsx"
import { Machines } from "./machines/machines.tsx"
import { Models } from "./models/models.tsx"
import { Usage } from "./usage/usage.tsx"

showKey(keptKey())
const store = new ChatStore()

const App = () => {
  const [place, go] = useState(placeOf(location.hash))
  const models = useRemote(loadModels)
  useChanges(store)
  useEffect(() => {
    const follow = () => go(placeOf(location.hash))
    addEventListener("hashchange", follow)
    // it may have changed before anybody listened
    follow()
    return () => removeEventListener("hashchange", follow)
  }, [])
  return (
    <Frame place={place}>
      {place === "chat" ? (
        <Shown of={models}>{(list) => <Chat store={store} models={list} />}</Shown>
      ) : place === "models" ? (
        <Models />
      ) : place === "machines" ? (
        <Machines />
      ) : (
        <Usage />
      )}
    </Frame>
  )
}

const root = document.getElementById("app")
if (root !== null) render(<App />, root)
