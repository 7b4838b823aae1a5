/**
 * What the name of a GGUF file in a repository says: its quantisation, wherever its author wrote it, and whether it is a
 * model or something that lies beside one. Nobody has ruled how to write either, so it is read as people write it.
 */
import { wholeName } from "./gguf/split.ts"

/** A path that cannot lead out of the folder that it is put into, on any system. */
export const isSafePath = (path: string): boolean =>
  path.length > 0 &&
  path.length <= 512 &&
  // half of a character has no bytes
  !/\p{Surrogate}/u.test(path) &&
  // eslint-disable-next-line no-control-regex -- finding them is the point
  !/[\u0000-\u001f\u007f\\:]/.test(path) &&
  path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..")

/** The name without folder, mark of a part and ending. */
const baseOf = (path: string): string => (wholeName(path).split("/").at(-1) ?? "").replace(/\.gguf$/i, "")
const foldersOf = (path: string): ReadonlyArray<string> => path.split("/").slice(0, -1)

const widths = [1, 2, 3, 4, 5, 6, 7, 8]
const withEndings = (head: string, endings: string) =>
  widths.flatMap((n) => endings.split(" ").map((end) => `${head}${n}_${end}`))

/** The types of llama.cpp and of its forks, with what people add to them. */
const types = [
  ...withEndings("Q", "K K_S K_M K_L K_XL K_XXL K_P 0 1"),
  ...withEndings("IQ", "XXS XS S M L NL XL K KS KSS KL KT"),
  ..."Q4_0_4_4 Q4_0_4_8 Q4_0_8_8 TQ1_0 TQ2_0 MXFP4 MXFP4_MOE NVFP4".split(" ")
]
/** Not quantised: they count only where none of the above is written, for one may be made from the other. */
const wide = ["BF16", "F16", "F32", "FP16", "FP32"]
/** Nor does it say which of them it is. */
const bare = widths.flatMap((n) => [`Q${n}`, `IQ${n}`, `Q_${n}`])

/** Finds one of these as a word: `Q4_K_M`, `q4-k-m` and `Q4KM` are the same. */
const finder = (labels: ReadonlyArray<string>): RegExp => {
  const longest = labels.toSorted((a, b) => b.length - a.length).map((label) => label.replaceAll("_", "[-_]?"))
  return new RegExp(`(?<![A-Za-z0-9])(?:${longest.join("|")})(?![A-Za-z0-9]|\\.[0-9])`, "gi")
}
const [typeFinder, wideFinder, bareFinder] = [finder(types), finder(wide), finder(bare)]

const compact = (label: string): string => label.toUpperCase().replace(/[-_]/g, "")
const canonical = new Map([
  ...[...types, ...wide].map((label) => [compact(label), label.replace("FP16", "F16").replace("FP32", "F32")] as const),
  ...bare.map((label) => [compact(label), compact(label)] as const),
  ["NVFP4", "NVFP4"] as const
])

const labelIn = (text: string): string | undefined => {
  // the last one: a model's own name comes before how it was quantised
  const found = [typeFinder, wideFinder, bareFinder].flatMap((each) => text.match(each)?.at(-1) ?? [])[0]
  return found === undefined ? undefined : canonical.get(compact(found))
}

/** The quantisation of a file by its name, or else by its folders. What is written before it (`UD-`, `i1-`) is a variant. */
export const quantOf = (path: string): string | undefined =>
  [baseOf(path), ...foldersOf(path).toReversed()].map(labelIn).find((label) => label !== undefined)

const paired: ReadonlyArray<readonly [RegExp, string]> = [
  [/control[-_. ]?vectors?/gi, "cvec"],
  [/mm[-_. ]?proj(ector)?s?(?![a-z])/gi, "mmproj"],
  [/vocab[-_. ]only/gi, "vocab"],
  [/(fast|eagle)mtp(\d+k)?(?![a-z0-9])/gi, "mtp"]
]

/** The words of a name, in lower case, without its quantisation and what every name has. */
const wordsOf = (text: string): ReadonlyArray<string> =>
  paired
    .reduce((rest, [pair, word]) => rest.replace(pair, word), text.replace(typeFinder, " ").replace(wideFinder, " "))
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "" && word !== "ggml" && word !== "gguf")

/** They say how a model was made, not which it is: where a choice is left, the one without is meant. */
const variants = new Set(["ud", "imat", "imatrix", "i1", "mtp", "nomtp", "assistant"])

const variantHint = new RegExp([...variants].join("|"), "i")

export const variantsOf = (path: string): ReadonlySet<string> =>
  !variantHint.test(path)
    ? new Set()
    : new Set([...foldersOf(path), baseOf(path)].flatMap(wordsOf).filter((word) => variants.has(word)))

/** What lies beside models, for people, and the words that say so. */
const kinds = new Map(
  Object.entries({
    "a projector of images or sound": "mmproj projector",
    "an importance matrix": "imatrix",
    "a draft for speculation":
      "draft drafter specdraft mtp nextn eagle eagle2 eagle3 dflash dspark medusa speculator assistant",
    "an adapter": "lora qlora adapter",
    "a control vector": "cvec",
    "a vocabulary without weights": "vocab tokenizer",
    "a decoder of sound": "vocoder wavtokenizer"
  }).flatMap(([kind, words]) => words.split(" ").map((word) => [word, kind] as const))
)

/** Few of a hundred thousand names need a closer look. */
const kindHint = new RegExp(["control", "mm", ...kinds.keys()].join("|"), "i")

/** `lora`, `loras` */
const known = (word = ""): string | undefined => [word, word.replace(/s$/, "")].find((each) => kinds.has(each))

/** Sizes, versions and the like, which end names of all kinds. */
const isTrailing = (word: string): boolean => /^([vae]?\d+[bmk]?|ud|imat|i1|it|final|model)$/.test(word)

export interface Beside {
  /** what it is, for people */
  readonly kind: string
  /**
   * How much of the name says so; `Infinity` is beyond doubt. Anything less counts only beside files whose names say
   * less: `Draft-Poet-7B` is a model where it is alone.
   */
  readonly weight: number
}

/** A family of models has this name too: `Eagle-7B`. */
const isFamily = (word: string, next: string | undefined): boolean =>
  (word === "eagle" || word === "medusa") && /^\d+b?$/.test(next ?? "")

/** Said at the end it may be true of a model itself: one that has these heads within, or was trained to assist. */
const endWeight = (word: string): number => (word === "mtp" || word === "assistant" ? 1 : 2)

/** The word by which a name says what it is: its first, its last, or one that names a folder. */
const signsOf = (path: string): ReadonlyArray<{ readonly word: string; readonly weight: number }> => {
  const words = wordsOf(baseOf(path))
  const isMadeWith = labelIn(baseOf(path)) !== undefined
  const sign = (at: number, weight: (word: string) => number) => {
    const word = known(words[at])
    // a projector is told from the rest below, wherever it is said
    if (word === undefined || word === "mmproj" || isFamily(word, words[at + 1])) return []
    if (word === "imatrix") return isMadeWith ? (at === 0 ? [{ word, weight: 2 }] : []) : [{ word, weight: Infinity }]
    return [{ word, weight: weight(word) }]
  }
  const projector = words.findIndex((word, i) => word === "mmproj" && !/^(no|without)$/.test(words[i - 1] ?? ""))
  // `draft-Draft-Poet` is what lies beside `Draft-Poet`
  const leading = known(words[0]) === "assistant" ? 0 : words.findIndex((word) => known(word) === undefined)
  const last = words.findLastIndex((word) => !isTrailing(word))
  const folders = foldersOf(path).flatMap((folder) => {
    const [only, more] = wordsOf(folder)
    const word = more === undefined ? known(only) : undefined
    // what lies in a folder of imatrices was made with one
    return word === undefined || word === "imatrix" ? [] : [{ word, weight: 2 }]
  })
  return [
    ...(projector < 0 ? [] : [{ word: "mmproj", weight: Infinity }]),
    ...words.slice(0, leading < 0 ? words.length : leading).flatMap((_, at) => sign(at, () => 2)),
    ...(leading >= 0 && last > leading ? sign(last, endWeight) : []),
    ...folders
  ]
}

/** What a file may be other than a model, by its name. */
export const besideOf = (path: string): Beside | undefined => {
  if (!kindHint.test(path)) return undefined
  const signs = signsOf(path)
  const kind = kinds.get(signs[0]?.word ?? "")
  return kind === undefined ? undefined : { kind, weight: signs.reduce((sum, { weight }) => sum + weight, 0) }
}
