/** For who has a key, and no link of `rbee open`. */
import { useState } from "preact/hooks"
import { signIn } from "./kept-key.ts"

export const SignIn = () => {
  const [key, setKey] = useState("")
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault()
        if (key.trim() !== "") signIn(key)
      }}
    >
      <label>
        Your key{" "}
        <input
          type="password"
          autocomplete="off"
          value={key}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
      </label>
      <button type="submit" class="edged">
        Sign in
      </button>
    </form>
  )
}
