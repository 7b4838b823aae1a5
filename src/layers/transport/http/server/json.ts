/** Makes a value of a body's text. A long text is read in steps, each in a turn of its own. */
import { randomUUID } from "node:crypto"
import * as Either from "effect/Either"
import { containersMax, readJson, TooManyParts } from "../../../../machines/formats/json/reading.ts"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { type Body, bodyText, notJson } from "../../../../protocol/wire/input.ts"

/** Characters that are read at once, in a millisecond. */
const atOnce = 64 * 1024
/** No client knows it. */
const mark = randomUUID()

export const readBodyText = (text: string, done: (body: Either.Either<Body, RbeeError>) => void): void => {
  if (text.length <= atOnce) return done(Either.right(text))
  const json = bodyText(text)
  if (Either.isLeft(json)) return done(Either.left(json.left))
  const steps = readJson(json.right, mark)
  const next = (): void => {
    let step: ReturnType<typeof steps.next>
    try {
      step = steps.next()
    } catch (reason) {
      return done(Either.left(reason instanceof TooManyParts ? tooManyParts() : notJson()))
    }
    if (step.done === true) done(Either.right({ value: step.value }))
    else setImmediate(next)
  }
  setImmediate(next)
}

const tooManyParts = () =>
  rbeeError(
    "INVALID_REQUEST",
    `the body has more than ${containersMax.nearTop} objects and lists, or more than ${containersMax.inAll} with those that lie deep`,
    "Join messages that follow each other",
    { max_parts: containersMax.nearTop, max_parts_in_all: containersMax.inAll }
  )
