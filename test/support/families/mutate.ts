/** Files of model families in which something is wrong: of a seed, the same each time. */
import type { SeededRandom } from "../../../src/simulator/world/kernel/random.ts"
import type { Tensor, Value } from "../gguf-container.ts"
import { families, type FamilyFile, familyFile, familyHeader } from "./index.ts"

export interface Mutant extends FamilyFile {
  readonly architecture: string
  /** what was changed, to be read by people */
  readonly changes: ReadonlyArray<string>
}

const numbers = [0, 1, 2, 3, 5, 7, 16, 31, 33, 64, 100, 255, 1000, 65_535, 65_536, 2 ** 31 - 1, 2 ** 32 - 1]
const reals = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e30, 0.5]
const texts = ["", "llama", "gpt2", "bert", "t5", "rwkv", "x", "{% for"]
const words = ["", "zzz", "\n", "a\0b", "\ufffd", "<unk>"]

const inList = <A>(random: SeededRandom, list: ReadonlyArray<A>, other: A): ReadonlyArray<A> => {
  if (list.length === 0 || random.chance(0.3)) return list.slice(0, -1)
  return list.with(random.int(0, list.length - 1), other)
}

const other = (random: SeededRandom, value: Value): Value => {
  if ("u32" in value || "u16" in value) {
    if (random.chance(0.1)) return { text: "x" }
    if (random.chance(0.1)) return { f32: random.pick(reals) }
    const near = "u32" in value ? value.u32 : value.u16
    return { u32: random.pick([near * 2, Math.max(0, near - 1), near + 1, ...numbers]) }
  }
  if ("i32" in value) return { i32: random.pick([-1, 0, 1, 2 ** 31 - 1]) }
  if ("u64" in value) return { u64: random.pick([0n, 2n ** 53n, 2n ** 64n - 1n]) }
  if ("f32" in value) return { f32: random.pick(reals) }
  if ("bool" in value) return { bool: !value.bool }
  if ("text" in value) return { text: random.pick(texts) }
  if ("texts" in value) return { texts: inList(random, value.texts, random.pick(words)) }
  if ("f32s" in value) return { f32s: inList(random, value.f32s, random.pick(reals)) }
  if ("bools" in value) return { bools: inList(random, value.bools, random.chance(0.5)) }
  if ("u32s" in value) return { u32s: inList(random, value.u32s, random.pick(numbers)) }
  return { i32s: inList(random, value.i32s, random.pick([-1, 0, 1, 33, 2 ** 31 - 1])) }
}

const reshaped = (random: SeededRandom, tensor: Tensor): Tensor => {
  const [columns, ...rest] = tensor.shape
  const shape: Tensor["shape"] = random.chance(0.5)
    ? [random.pick([columns * 2, 1, 32]), ...rest]
    : [columns, ...rest.map((length) => random.pick([length, length * 2, 1]))]
  return { ...tensor, shape, type: shape[0] % 32 === 0 ? tensor.type : "f32" }
}

/** One or two things are wrong in it. */
export const mutant = (random: SeededRandom): Mutant => {
  const architecture = random.pick([...families.keys()])
  const file = familyFile(architecture)
  const metadata = [...file.metadata]
  const tensors = [...file.tensors]
  const changes: Array<string> = []
  for (let left = random.int(1, 2); left > 0; left--) {
    const entry = metadata[random.int(1, metadata.length - 1)]
    const tensor = tensors[random.int(0, tensors.length - 1)]
    if (entry === undefined || tensor === undefined) continue
    const [name, value] = entry
    const [place, at] = [metadata.indexOf(entry), tensors.indexOf(tensor)]
    const kind = random.int(1, 10)
    if (kind <= 7) {
      metadata[place] = [name, other(random, value)]
      changes.push(`${name} = ${JSON.stringify(metadata[place]?.[1]).slice(0, 80)}`)
    } else if (kind === 8) changes.push(`without ${metadata.splice(place, 1)[0]?.[0]}`)
    else if (kind === 9) changes.push(`without ${tensors.splice(at, 1)[0]?.name}`)
    else {
      tensors[at] = reshaped(random, tensor)
      changes.push(`${tensor.name} is ${tensors[at]?.shape.join(" × ")}`)
    }
  }
  return { architecture, changes, metadata, tensors, vocabulary: file.vocabulary }
}

/** Its header, in which single bytes may be others too, and the size that the file would have. */
export const mutantHeader = (random: SeededRandom): { readonly bytes: Uint8Array; readonly fileBytes: number } => {
  const header = familyHeader(mutant(random))
  const bytes = new Uint8Array(header.bytes)
  if (random.chance(0.5)) return { ...header, bytes }
  for (let left = random.int(1, 8); left > 0; left--) {
    bytes[random.int(0, random.pick([200, 2000, bytes.length - 1]))] = random.int(0, 255)
  }
  return { ...header, bytes: random.chance(0.2) ? bytes.subarray(0, random.int(0, bytes.length)) : bytes }
}
