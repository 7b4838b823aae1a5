/** Around what a view shows: why it cannot, where it cannot. */
import type { ComponentChildren } from "preact"
import { Problem } from "./acting.tsx"
import type { Remote } from "./remote.ts"
import { SignIn } from "./sign-in.tsx"

interface ShownProps<A> {
  readonly of: Remote<A>
  readonly children: (value: A) => ComponentChildren
}

export const Shown = <A,>({ children, of }: ShownProps<A>) => (
  <>
    <Problem words={of.problem} />
    {of.refusal !== undefined ? (
      <>
        <p class="note">{of.refusal}</p>
        <p class="note">
          Whose cluster it is runs <code>rbee open</code> on the queen's machine, for a link that lets this browser in;
          others have a key.
        </p>
        <SignIn />
      </>
    ) : of.value === undefined ? (
      of.problem === undefined ? (
        <p class="note">Looking…</p>
      ) : null
    ) : (
      children(of.value)
    )}
  </>
)
