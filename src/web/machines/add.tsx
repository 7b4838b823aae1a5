/** The form by which a machine is added. */
import { useState } from "preact/hooks"
import { useFocused } from "../kit/focused.ts"
import type { Place } from "./adding.ts"

interface AddProps {
  readonly add: (id: string, place: Place) => void
  readonly leave: () => void
}

/** beside the queen's usual one, for a machine of its own */
const usualPort = 8600

const given = <Name extends string>(name: Name, value: string): { readonly [K in Name]?: string } =>
  value.trim() === "" ? {} : ({ [name]: value.trim() } as { readonly [K in Name]?: string })

export const Add = ({ add, leave }: AddProps) => {
  const [typed, setTyped] = useState({ id: "", host: "", user: "", port: "", identity: "", node: "", hive_port: "" })
  const [isDirect, setDirect] = useState(false)
  const form = useFocused<HTMLFormElement>()
  const field = (name: keyof typeof typed, label: string, more: object = {}) => (
    <label>
      {label}
      <input
        value={typed[name]}
        onInput={({ currentTarget }) => setTyped({ ...typed, [name]: currentTarget.value })}
        {...more}
      />
    </label>
  )
  const send = () => {
    const id = typed.id.trim()
    if (id === "") return
    add(id, {
      host: typed.host.trim() === "" ? id : typed.host.trim(),
      hive_port: typed.hive_port.trim() === "" ? usualPort : Number(typed.hive_port),
      ...given("user", typed.user),
      ...given("identity", typed.identity),
      ...given("node", typed.node),
      ...(typed.port.trim() === "" ? {} : { port: Number(typed.port) }),
      ...(isDirect ? { direct: true as const } : {})
    })
  }
  return (
    <form
      class="card fields"
      ref={form}
      tabIndex={-1}
      aria-label="Add a machine"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <p class="whole note">
        What the queen's machine reaches with <code>ssh NAME</code> joins: it needs Node there, and no open port.
      </p>
      {field("id", "Name", { required: true, placeholder: "gpu-box" })}
      {field("host", "Host, where it is another", { placeholder: "10.0.0.7" })}
      {field("user", "User")}
      <details class="whole">
        <summary>More</summary>
        <div class="fields">
          {field("port", "Port of ssh", { type: "number", min: 1, max: 65_535 })}
          {field("identity", "File of the private key, on the queen's machine", {
            placeholder: "/home/ada/.ssh/id_ed25519"
          })}
          {field("node", "Node there, where it is not found")}
          {field("hive_port", "Port of its hive", {
            type: "number",
            min: 1,
            max: 65_535,
            placeholder: String(usualPort)
          })}
          <label class="check">
            <input
              type="checkbox"
              checked={isDirect}
              onChange={({ currentTarget }) => setDirect(currentTarget.checked)}
            />{" "}
            HTTP goes there in clear, without a tunnel: for a network that you trust
          </label>
        </div>
      </details>
      <div class="row whole">
        <button type="submit" class="main">
          Add
        </button>
        <button type="button" class="edged" onClick={leave}>
          Leave it
        </button>
      </div>
    </form>
  )
}
