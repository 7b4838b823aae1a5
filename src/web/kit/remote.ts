/** What a view shows of the queen: asked for when it is opened and again while it is looked at. */
import { useEffect, useState } from "preact/hooks"
import { Refused, wordsOf } from "./call.ts"

const usualEveryMs = 3000

export interface Remote<A> {
  readonly value: A | undefined
  /** why it cannot be shown; what was known stays */
  readonly problem: string | undefined
  /** why this browser has no right to it */
  readonly refusal: string | undefined
  readonly again: () => void
}

export const useRemote = <A>(load: () => Promise<A>, everyMs = usualEveryMs): Remote<A> => {
  const [value, setValue] = useState<A | undefined>(undefined)
  const [error, setError] = useState<unknown>(undefined)
  const [round, setRound] = useState(0)
  useEffect(() => {
    let isLeft = false
    const look = async () => {
      try {
        const loaded = await load()
        if (isLeft) return
        setValue(loaded)
        setError(undefined)
      } catch (failure) {
        if (!isLeft) setError(failure)
      }
    }
    void look()
    const timer = setInterval(() => {
      if (!document.hidden) void look()
    }, everyMs)
    return () => {
      isLeft = true
      clearInterval(timer)
    }
  }, [round])
  const words = error === undefined ? undefined : wordsOf(error)
  const isRefused = error instanceof Refused && (error.status === 401 || error.status === 403)
  return {
    value,
    problem: isRefused ? undefined : words,
    refusal: isRefused ? words : undefined,
    again: () => setRound((count) => count + 1)
  }
}
