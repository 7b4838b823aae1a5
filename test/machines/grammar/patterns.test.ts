/** Patterns and formats of texts: the texts in which JavaScript finds them, and what is refused. */
import { describe, expect, it } from "vitest"
import { accepts } from "../../../src/machines/grammar/automaton/automaton.ts"
import { formats, patternOfFormat } from "../../../src/machines/grammar/automaton/formats.ts"
import { automatonOfPattern, Unreadable } from "../../../src/machines/grammar/automaton/pattern.ts"

/** Short texts of characters that the patterns below tell apart. */
const texts = (() => {
  const characters = [
    "a",
    "b",
    "z",
    "A",
    "0",
    "9",
    "_",
    "-",
    " ",
    "\t",
    "\n",
    "\r",
    ".",
    "^",
    "]",
    "\\",
    "/",
    "\b",
    "\u{1f600}",
    "\u00a0",
    "é"
  ]
  const two = characters.flatMap((one) => characters.map((other) => one + other))
  return [
    "",
    ...characters,
    ...two,
    "aaa",
    "aba",
    "abab",
    "ab9",
    "aaaa",
    "a-b",
    "\u0001",
    "\0",
    "\v",
    "\f",
    "\u2028",
    "\u2003"
  ]
})()

describe("a pattern", () => {
  it.each([
    "a",
    "^a",
    "a$",
    "^a$",
    "^$",
    "",
    "a|b",
    "^a|b$",
    "^(a|b)$",
    "^(?:ab|a)b?$",
    "^(?<name>a)+$",
    "^a*$",
    "^a+?$",
    "^a{2}$",
    "^a{2,}$",
    "^a{1,2}b{0}$",
    "^[ab-]$",
    "^[-ab]$",
    "^[a-z0]$",
    "^[^a-z]$",
    "^[\\]\\\\^-]$",
    "^[\\-a]$",
    "^[\\b]$",
    "^[]$",
    "^[^]$",
    "^[\\d_]+$",
    "^\\d$",
    "^\\D$",
    "^\\w$",
    "^\\W$",
    "^\\s$",
    "^\\S$",
    "^.$",
    "^\\.$",
    "^[.]$",
    "^\\t\\n|\\v|\\f|\\r|\\0$",
    "^\\x41$",
    "^\\u0061$",
    "^\\u{1F600}$",
    "^\\ud83d\\ude00$",
    "^[\\u{1F600}-\\u{1F64F}]$",
    "^\\cA$",
    "^\\/\\^\\$|\\*|\\+\\?|\\(\\)|\\{\\}|\\|\\[$",
    "^((a|b)(a|b))*$",
    "(?:a|)b"
  ])("lets through what JavaScript finds it in: %s", (pattern) => {
    const expression = new RegExp(pattern, "u")
    const automaton = automatonOfPattern(pattern)
    expect(texts.filter((text) => accepts(automaton, text))).toEqual(texts.filter((text) => expression.test(text)))
  })

  it.each([
    "(?=a)",
    "(?!a)",
    "(?<=a)b",
    "(?<!a)b",
    "\\bword",
    "\\Bword",
    "(a)\\1",
    "(?<n>a)\\k<n>",
    "\\p{L}",
    "\\P{L}",
    "a(b$)c",
    "a^b",
    "(^a)",
    "a{4001}",
    "a{0,4001}",
    "a{4001,}",
    "[\\ud83d\\u0061]?\\ud83d\\u0061"
  ])("is refused where it looks at more than characters, or asks for too much: %s", (pattern) => {
    expect(() => automatonOfPattern(pattern)).toThrow(Unreadable)
  })

  it("may ask for as many copies as it says", () => {
    expect(accepts(automatonOfPattern("^a{4000}$"), "a".repeat(4000))).toBe(true)
    expect(accepts(automatonOfPattern("^a{4000,}$"), "a".repeat(3999))).toBe(false)
  })

  it.each([
    "(",
    ")",
    "[",
    "a{2",
    "a{,2}",
    "a{2,1}",
    "*",
    "+a",
    "?",
    "]",
    "}",
    "\\",
    "\\q",
    "[b-a]",
    "\\u{110000}",
    "\\x4",
    "\\u00"
  ])("is refused where it is none: %s", (pattern) => {
    expect(() => automatonOfPattern(pattern)).toThrow(Unreadable)
  })
})

/** Right ones, and beside each the same with a mistake. */
const known: Readonly<Record<string, ReadonlyArray<readonly [right: string, wrong: string]>>> = {
  date: [
    ["2024-01-31", "2024-04-31"],
    ["2024-02-29", "2023-02-29"],
    ["2000-02-29", "1900-02-29"],
    ["1996-02-29", "1998-02-29"],
    ["2023-02-28", "2023-02-30"],
    ["2023-11-30", "2023-13-01"],
    ["2023-12-09", "2023-12-00"],
    ["2023-06-10", "23-06-10"]
  ],
  time: [
    ["23:59:59Z", "24:00:00Z"],
    ["00:00:00.123456789+01:30", "00:00:00.1234567890Z"],
    ["12:34:56-23:59", "12:34:56-24:00"],
    ["12:34:56Z", "12:60:56Z"],
    ["12:34:00Z", "12:34:00"]
  ],
  "date-time": [
    ["2024-02-29T23:59:59Z", "2023-02-29T23:59:59Z"],
    ["2024-12-31T00:00:00.5+01:00", "2024-12-31 00:00:00Z"]
  ],
  duration: [
    ["P3W", "P3W1D"],
    ["P1Y2M3DT4H5M6S", "P1YT"],
    ["PT1M", "PT"],
    ["P1D", "P"],
    ["P1M", "1M"],
    ["PT1H1M", "PT1H1S"],
    ["P1Y", "P1H"]
  ],
  uuid: [
    ["0189abcd-ef01-2345-6789-ABCDEFabcdef", "0189abcd-ef01-2345-6789-ABCDEFabcde"],
    ["00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000"]
  ],
  ipv4: [
    ["0.9.10.99", "0.9.10"],
    ["100.199.200.249", "100.199.200.256"],
    ["255.255.255.255", "255.255.255.260"],
    ["1.2.3.4", "01.2.3.4"]
  ],
  ipv6: [
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9"],
    ["::", ":"],
    ["::1", ":::1"],
    ["1::", "1:"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8::"],
    ["1::8", "1::2::8"],
    ["fe80::A:b", "fe80::g"],
    ["1:2:3:4:5:6::8", "12345::"]
  ],
  email: [
    ["a.b+c@x.example.org", "a..b@example.org"],
    ["a@b.co", "a@b"],
    ["a@b.co", "@b.co"],
    ["a_b@b-c.co", "a@-b.co"]
  ],
  hostname: [
    ["a.b-c.d9", "a..b"],
    ["localhost", "-localhost"],
    ["x1", "x1-"]
  ],
  uri: [
    ["https://a.example:80/x/%20y?q=1/2#z?", "https://a.example:80/x y"],
    ["urn+x.y-z://h", "1urn://h"],
    ["file:///a/b", "file:/a/b"],
    ["a://h?x", "a://h?%2"],
    ["a://h#x", "a://h#%x0"],
    ["a://h:12345", "a://h:123456"]
  ]
}

describe("a format", () => {
  it("is one of those that are served", () => {
    expect([...formats].sort()).toEqual(Object.keys(known).sort())
    for (const other of ["regex", "toString", ""]) expect(patternOfFormat(other)).toBeUndefined()
  })

  it.each(Object.entries(known))("%s is the whole text, and rightly made", (format, pairs) => {
    const automaton = automatonOfPattern(patternOfFormat(format) ?? "")
    const all = pairs.flatMap(([right, wrong]) => [right, wrong, `${right} `, ` ${right}`])
    expect(all.filter((text) => accepts(automaton, text))).toEqual(pairs.map(([right]) => right))
  })
})
