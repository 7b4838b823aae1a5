/** The form by which a machine is added; the machines that could be are shown to who asks. */
import { useState } from "preact/hooks"
import { FormEnd } from "../kit/acting.tsx"
import { useFocused } from "../kit/focused.ts"
import type { Wanted } from "./adding.ts"
import { Discovered } from "./discovered.tsx"
import { emptyPlace, type TypedPlace, wantedOf } from "./typed-place.ts"

interface AddProps {
  readonly add: (id: string, wanted: Wanted) => void
  readonly leave: () => void
}

export const Add = ({ add, leave }: AddProps) => {
  const [typed, setTyped] = useState<TypedPlace>(emptyPlace)
  const form = useFocused<HTMLFormElement>()
  const field = (name: Exclude<keyof TypedPlace, "isDirect">, label: string, more: object = {}) => (
    <label>
      {label}
      <input
        value={typed[name]}
        onInput={({ currentTarget }) => setTyped({ ...typed, [name]: currentTarget.value })}
        {...more}
      />
    </label>
  )
  return (
    <form
      class="card fields"
      ref={form}
      tabIndex={-1}
      aria-label="Add a machine"
      onSubmit={(event) => {
        event.preventDefault()
        if (typed.id.trim() !== "") add(typed.id.trim(), wantedOf(typed))
      }}
    >
      <p class="whole note">
        What the queen's machine reaches with <code>ssh NAME</code> joins: it needs Node there, and no open port.
      </p>
      <Discovered pick={(place) => setTyped({ ...emptyPlace, ...place })} />
      {field("id", "Name", { required: true, placeholder: "gpu-box" })}
      {field("host", "Host, where it is another", { placeholder: "10.0.0.7" })}
      {field("user", "User")}
      <details class="whole">
        <summary>More</summary>
        <div class="fields">
          {field("port", "Port of ssh", { type: "number", min: 1, max: 65_535 })}
          {field("identity", "File of the private key, on the queen's machine", { placeholder: "/home/ada/.ssh/id" })}
          {field("node", "Node there, where it is not found")}
          {field("hive_port", "Port of its hive", { type: "number", min: 1, max: 65_535, placeholder: "8600" })}
          {field("mac", "Its network card, to wake it", { placeholder: "aa:bb:cc:dd:ee:ff" })}
          {field("sleepMinutes", "Sleeps when idle, minutes", { type: "number", min: 1 })}
          <label class="check">
            <input
              type="checkbox"
              checked={typed.isDirect}
              onChange={({ currentTarget }) => setTyped({ ...typed, isDirect: currentTarget.checked })}
            />{" "}
            HTTP goes there in clear, without a tunnel: for a network that you trust
          </label>
        </div>
      </details>
      <FormEnd does="Add" leave={leave} />
    </form>
  )
}
