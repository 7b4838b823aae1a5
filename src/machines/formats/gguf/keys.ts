/** What a GGUF header says, by name. A number that is used is a count within bounds, or the file is refused. */
import { type Cursor, Invalid, type Value } from "./cursor.ts"

/** llama.cpp keeps them in 32 bits */
const countMax = 2 ** 32 - 1

export class Keys {
  readonly architecture: string
  private readonly values: ReadonlyMap<string, Value>

  constructor(values: ReadonlyMap<string, Value>) {
    this.values = values
    this.architecture = this.text("general.architecture")
  }

  /** A name that begins with a point is the architecture's own. */
  private value(key: string): Value | undefined {
    return this.values.get(key.startsWith(".") ? this.architecture + key : key)
  }

  has(key: string): boolean {
    return this.value(key) !== undefined
  }

  text(key: string): string {
    const value = this.value(key)
    return typeof value === "string" ? value : ""
  }

  flag(key: string): boolean | undefined {
    const value = this.value(key)
    return typeof value === "boolean" ? value : undefined
  }

  /** entries of a list */
  length(key: string): number {
    const value = this.value(key)
    return typeof value === "object" ? value.length : 0
  }

  /** a number that need not be whole */
  real(key: string): number | undefined {
    const value = this.value(key)
    return typeof value === "number" ? value : undefined
  }

  /** bytes of a vocabulary's longest word; 0 where there is none */
  longest(key: string): number {
    const value = this.value(key)
    return typeof value === "object" ? (value.longest ?? 0) : 0
  }

  count(key: string, max = countMax): number | undefined {
    const value = this.value(key)
    return typeof value === "number" ? this.checked(key, value, max) : undefined
  }

  /** One number for all layers, or one for each; undefined where it says none. */
  perLayer(key: string, max = countMax): ((layer: number) => number) | undefined {
    const value = this.value(key)
    if (typeof value === "object") {
      for (const each of value.numbers) this.checked(key, each, max)
      return (layer) => value.numbers[layer] ?? 0
    }
    const one = typeof value === "boolean" ? Number(value) : this.count(key, max)
    return one === undefined ? undefined : () => one
  }

  /** the largest of a list, or the number itself */
  largest(key: string, max = countMax): number | undefined {
    const value = this.value(key)
    if (typeof value !== "object") return this.count(key, max)
    return value.numbers.reduce((most, each) => Math.max(most, this.checked(key, each, max)), 0)
  }

  isList(key: string): boolean {
    return typeof this.value(key) === "object"
  }

  private checked(key: string, value: number, max: number): number {
    if (Number.isInteger(value) && value >= 0 && value <= max) return value
    throw new Invalid(`its header says that ${key.replace(/^\./, "")} is ${value}, which is out of range`)
  }
}

export const readKeys = (cursor: Cursor, entries: number): Keys => {
  const values = new Map<string, Value>()
  for (let i = 0; i < entries; i++) {
    const key = cursor.string()
    if (values.has(key)) throw new Invalid(`its header says ${JSON.stringify(key.slice(0, 60))} twice`)
    const type = cursor.u32()
    values.set(key, key === "tokenizer.ggml.tokens" ? cursor.words(type) : cursor.value(type))
  }
  return new Keys(values)
}
