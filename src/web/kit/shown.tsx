/** Around what a view shows: why it cannot, where it cannot. */
import type { ComponentChildren } from "preact"
import { Problem } from "./acting.tsx"
import type { Remote } from "./remote.ts"

interface ShownProps<A> {
  readonly of: Remote<A>
  readonly children: (value: A) => ComponentChildren
}

export const Shown = <A,>({ children, of }: ShownProps<A>) => (
  <>
    <Problem words={of.problem} />
    {of.isForbidden ? (
      <p class="note">
        This needs the cluster's token: run <code>rbee open</code> on the queen's machine, as her user.
      </p>
    ) : of.value === undefined ? (
      of.problem === undefined ? (
        <p class="note">Looking…</p>
      ) : null
    ) : (
      children(of.value)
    )}
  </>
)
