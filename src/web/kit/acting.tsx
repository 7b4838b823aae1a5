/** What a click does to the cluster: one at a time, and where it fails, why, in the daemon's own words. */
import { useState } from "preact/hooks"
import { wordsOf } from "./call.ts"

export interface Acting {
  /** what is under way */
  readonly busy: string | undefined
  readonly problem: string | undefined
  /** True: it was done. */
  readonly perform: (what: string, act: () => Promise<unknown>) => Promise<boolean>
}

/** `after`: what is shown is looked at again. */
export const useActing = (after: () => void): Acting => {
  const [busy, setBusy] = useState<string | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const perform = async (what: string, act: () => Promise<unknown>): Promise<boolean> => {
    setBusy(what)
    try {
      await act()
      setProblem(undefined)
      return true
    } catch (error) {
      setProblem(wordsOf(error))
      return false
    } finally {
      setBusy(undefined)
      after()
    }
  }
  return { busy, problem, perform }
}

export const Problem = ({ words }: { readonly words: string | undefined }) =>
  words === undefined ? null : (
    <p class="problem" role="alert">
      {words}
    </p>
  )

/** The end of a form that can be left. */
export const FormEnd = ({ does, leave }: { readonly does: string; readonly leave: () => void }) => (
  <div class="row whole">
    <button type="submit" class="main">
      {does}
    </button>
    <button type="button" class="edged" onClick={leave}>
      Leave it
    </button>
  </div>
)
