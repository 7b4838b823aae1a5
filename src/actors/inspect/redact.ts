/**
 * What leaves an actor for an inspector: small, and without what is nobody's business. A chart's context and its events
 * carry errors, places and amounts; should one carry a prompt, a text or a secret, only its size is shown.
 */

const secret = /(^|_)(token|key|secret|password|authorization|cookie)$/i
const content = /^(prompt|messages|content|text|t|delta|stdout|request|token_ids|lastWords|last_words|idempotency\w*)$/i

export interface RedactOptions {
  /** shows prompts and texts; never secrets */
  readonly contents: boolean
}

const textMax = 200
const itemsMax = 16
const depthMax = 4

/** A JSON value of bounded size that stands for `value`. */
export const redact = (value: unknown, options: RedactOptions, depth = 0): unknown => {
  switch (typeof value) {
    case "string":
      return value.length > textMax ? `${value.slice(0, textMax)}…` : value
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "boolean":
      return value
    case "object":
      return value === null ? null : redactObject(value, options, depth)
    case "undefined":
      return undefined
    default:
      return `(${typeof value})`
  }
}

const redactObject = (value: object, options: RedactOptions, depth: number): unknown => {
  if (depth >= depthMax) return "…"
  if (Array.isArray(value)) {
    const items = value.slice(0, itemsMax).map((item) => redact(item, options, depth + 1) ?? null)
    return value.length > itemsMax ? [...items, `… ${value.length - itemsMax} more`] : items
  }
  // an error's own fields say what it is; a stack trace is for the log
  const entries: Array<[string, unknown]> = value instanceof Error ? [["message", value.message]] : []
  for (const [name, inner] of Object.entries(value)) {
    if (name.startsWith("_") || name === "stack" || typeof inner === "function" || inner === undefined) continue
    entries.push([name, isHidden(name, inner, options) ? hidden(inner) : redact(inner, options, depth + 1)])
    if (entries.length >= itemsMax) break
  }
  return Object.fromEntries(entries)
}

const isHidden = (name: string, value: unknown, { contents }: RedactOptions): boolean =>
  // numbers by such a name are counts
  typeof value !== "number" && (secret.test(name) || (!contents && content.test(name)))

const hidden = (value: unknown): string =>
  typeof value === "string" ? `(${value.length} characters)` : Array.isArray(value) ? `(${value.length} items)` : "(…)"
