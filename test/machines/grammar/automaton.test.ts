/** Automata over code points: sets of characters, what automata accept, put together and taken from each other. */
import { describe, expect, it } from "vitest"
import {
  accepts,
  anything,
  atoms,
  type Automaton,
  both,
  isEmpty,
  less,
  ofLength,
  ofTexts,
  statesMax,
  TooLarge,
  trimmed
} from "../../../src/machines/grammar/automaton/automaton.ts"
import { automatonOf, type Expression } from "../../../src/machines/grammar/automaton/expression.ts"
import {
  between,
  complement,
  every,
  intersection,
  ofCharacters,
  type Ranges,
  union,
  without
} from "../../../src/machines/grammar/automaton/ranges.ts"

const those = (automaton: Automaton, ...texts: ReadonlyArray<string>) =>
  texts.filter((text) => accepts(automaton, text))

describe("a set of characters", () => {
  it("is ascending ranges that do not touch", () => {
    expect(union([[5, 9]], [[1, 2]], [[3, 3]], [[9, 12]])).toEqual([
      [1, 3],
      [5, 12]
    ])
    expect(union([[1, 9]], [[2, 3]], [[11, 11]])).toEqual([
      [1, 9],
      [11, 11]
    ])
    expect(union()).toEqual([])
    expect(ofCharacters("cab\u{1f600}")).toEqual([
      [97, 99],
      [0x1f600, 0x1f600]
    ])
    expect(between("a", "\u{1f600}")).toEqual([[97, 0x1f600]])
  })

  it("is cut, and taken from another", () => {
    const [low, high]: ReadonlyArray<Ranges> = [
      [
        [1, 5],
        [8, 10]
      ],
      [
        [5, 8],
        [10, 20]
      ]
    ]
    expect(intersection(low ?? [], high ?? [])).toEqual([
      [5, 5],
      [8, 8],
      [10, 10]
    ])
    expect(without(low ?? [], high ?? [])).toEqual([
      [1, 4],
      [9, 9]
    ])
    expect(without([[0, 3]], [[0, 0]])).toEqual([[1, 3]])
    expect(without([[0, 0x10ffff]], [[1, 0x10ffff]])).toEqual([[0, 0]])
    expect(without([[0, 0x10ffff]], [[0, 0x10fffe]])).toEqual([[0x10ffff, 0x10ffff]])
  })

  it("has all characters but halves of pairs, of which the rest is what it does not have", () => {
    expect(complement([])).toEqual(every)
    expect(complement(every)).toEqual([])
    expect(complement([[0, 0xd7fe]])).toEqual([
      [0xd7ff, 0xd7ff],
      [0xe000, 0x10ffff]
    ])
  })

  it("is divided with others into parts, each with those that it is in", () => {
    expect(
      atoms([
        [[[0, 9]], "a"],
        [[[5, 14]], "b"],
        [[[5, 9]], "c"]
      ])
    ).toEqual([
      [[[5, 9]], ["a", "b", "c"]],
      [[[0, 4]], ["a"]],
      [[[10, 14]], ["b"]]
    ])
    expect(
      atoms([
        [[[0, 9]], "a"],
        [[[0, 9]], "b"]
      ])
    ).toEqual([[[[0, 9]], ["a", "b"]]])
  })
})

describe("an automaton", () => {
  it("accepts a text by its characters, the first and the last of a range among them", () => {
    const digits: Automaton = [
      { accepts: false, ways: [[between("0", "9"), 1]] },
      { accepts: true, ways: [[between("0", "9"), 1]] }
    ]
    expect(those(digits, "0", "9", "5", "09", "", "/", ":", "0a")).toEqual(["0", "9", "5", "09"])
    expect(those(anything, "", "\u{1f600}\n")).toEqual(["", "\u{1f600}\n"])
    expect(those([], "")).toEqual([])
  })

  it("is of these texts", () => {
    const texts = ["", "car", "cat", "ca", "\u{1f600}"]
    expect(those(ofTexts(texts), ...texts, "c", "cart", "x")).toEqual(texts)
    expect(those(ofTexts(["car"]), "", "c", "car", "cars")).toEqual(["car"])
    expect(isEmpty(ofTexts([]))).toBe(true)
    expect(ofTexts(["car", "cat"])).toHaveLength(5)
  })

  it("is of so many characters", () => {
    const texts = ["", "a", "\u{1f600}b", "abc", "abcd"]
    expect(those(ofLength(0, 0), ...texts)).toEqual([""])
    expect(those(ofLength(1, 2), ...texts)).toEqual(["a", "\u{1f600}b"])
    expect(those(ofLength(2, undefined), ...texts)).toEqual(["\u{1f600}b", "abc", "abcd"])
    expect(those(ofLength(0, undefined), ...texts)).toEqual(texts)
  })

  it("is of both, and of one without the other", () => {
    const [a, b] = [ofTexts(["x", "xy", "z"]), ofTexts(["x", "y", "zz"])]
    const texts = ["", "x", "y", "z", "xy", "zz"]
    expect(those(both(a, b), ...texts)).toEqual(["x"])
    expect(those(less(a, b), ...texts)).toEqual(["z", "xy"])
    expect(those(less(anything, a), ...texts)).toEqual(["", "y", "zz"])
    expect(isEmpty(both(ofTexts(["a"]), ofTexts(["b"])))).toBe(true)
    expect(isEmpty(less(a, anything))).toBe(true)
    expect(isEmpty(less(a, b))).toBe(false)
  })

  it("has no state from which no end is reached", () => {
    const [x, y] = [ofCharacters("x"), ofCharacters("y")]
    const aimless: Automaton = [
      {
        accepts: false,
        ways: [
          [x, 1],
          [y, 2]
        ]
      },
      { accepts: false, ways: [[x, 1]] },
      {
        accepts: true,
        ways: [
          [x, 1],
          [y, 2]
        ]
      }
    ]
    expect(trimmed(aimless)).toEqual([
      { accepts: false, ways: [[y, 1]] },
      { accepts: true, ways: [[y, 1]] }
    ])
    expect(trimmed([{ accepts: false, ways: [[x, 0]] }])).toEqual([{ accepts: false, ways: [] }])
    expect(trimmed([])).toEqual([{ accepts: false, ways: [] }])
  })

  it("is refused where it were too large", () => {
    expect(ofLength(0, statesMax - 1)).toHaveLength(statesMax)
    for (const tooLarge of [
      () => ofLength(0, statesMax),
      () => ofLength(statesMax, undefined),
      () => ofTexts(["x".repeat(statesMax)]),
      () => both(automatonOf(repeated(101)), automatonOf(repeated(103))),
      () => automatonOf(repeated(4 * statesMax))
    ])
      expect(tooLarge).toThrow(TooLarge)
    expect(ofTexts(["x".repeat(statesMax - 1)])).toHaveLength(statesMax)
  })
})

const x: Expression = { _tag: "Set", ranges: ofCharacters("x") }
/** Any number of so many, which has as many states. */
const repeated = (count: number): Expression => ({
  _tag: "Repeat",
  part: { _tag: "Repeat", part: x, min: count, max: count },
  min: 0,
  max: Infinity
})

describe("an expression", () => {
  const of = (expression: Expression, ...texts: ReadonlyArray<string>) => those(automatonOf(expression), ...texts)
  const y: Expression = { _tag: "Set", ranges: ofCharacters("y") }

  it("is a set, a sequence or a choice", () => {
    expect(of(x, "", "x", "xx", "y")).toEqual(["x"])
    expect(of({ _tag: "Sequence", parts: [x, y] }, "x", "xy", "yx", "xyx")).toEqual(["xy"])
    expect(of({ _tag: "Sequence", parts: [] }, "", "x")).toEqual([""])
    expect(of({ _tag: "Choice", parts: [x, y] }, "", "x", "y", "xy")).toEqual(["x", "y"])
    expect(of({ _tag: "Choice", parts: [] }, "", "x")).toEqual([])
  })

  it("is repeated as often as it says, whatever repeats inside of it", () => {
    const texts = ["", "x", "xx", "xxx", "xxxx"]
    const times = (min: number, max: number) => of({ _tag: "Repeat", part: x, min, max }, ...texts)
    expect(times(0, 0)).toEqual([""])
    expect(times(0, 1)).toEqual(["", "x"])
    expect(times(1, 3)).toEqual(["x", "xx", "xxx"])
    expect(times(2, 2)).toEqual(["xx"])
    expect(times(2, Infinity)).toEqual(["xx", "xxx", "xxxx"])
    const some: Expression = { _tag: "Repeat", part: x, min: 1, max: Infinity }
    const pairs: Expression = { _tag: "Repeat", part: { _tag: "Sequence", parts: [some, y] }, min: 0, max: 2 }
    expect(of(pairs, "", "xy", "xxyxy", "xyxyxy", "x", "xyx")).toEqual(["", "xy", "xxyxy"])
  })
})
