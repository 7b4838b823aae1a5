/**
 * The house rules that a linter does not know (CONTRIBUTING.md#the-house): imports point one way, time and chance come
 * through layers, nothing escapes the types; and no files import each other in a circle, not for types either. Prints
 * each breach as `file:line rule` and fails.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const clock =
  /\b(setTimeout|setInterval|setImmediate|queueMicrotask|Date\.now|performance\.now|Math\.random|randomUUID|process\.hrtime)\b|\bnew Date\(\)/
const escapes = /(:\s*any\b|\bas any\b|<any>|as unknown as)/
const silencers = /@ts-(ignore|expect-error|nocheck)|(oxlint|eslint)-disable(?!-next-line [a-z/-]+ -- )/
const marks = /\b(TODO|FIXME|XXX)\b|\b(it|test|describe)(\.effect|\.scoped)?\.(skip|only|todo)\b/

/** What is passed on whole (`...rest`) is not read. */
const readsDetails = (code) =>
  /\b(error|cause|failure|left)\w*\??\.details\??[.[]|\bdetails\["/.test(code) ||
  (/\} = (\w+\.)*details$/.test(code) && !code.includes("..."))

const room = (path) => path.split("/")[1]
/** Which rooms a room may import from, besides itself: never upwards. */
const below = {
  machines: [],
  protocol: ["machines"],
  layers: ["machines", "protocol"],
  actors: ["machines", "protocol", "layers"],
  simulator: ["machines", "protocol", "layers", "actors"],
  // the pages: they run in a browser
  web: ["machines", "protocol"],
  inspector: ["machines", "protocol", "web"]
}
/** May a file of `from` import the file `to` (both relative to the root)? */
const mayImport = (from, to) => {
  const rooms = below[room(from)]
  if (rooms === undefined || room(from) === room(to)) return true
  // of a layer folder actors know the interface alone
  if (room(from) === "actors" && room(to) === "layers") return /^src\/layers\/[^/]+\/index\.ts$/.test(to)
  // what the pages share is the kit
  if (room(from) === "inspector" && room(to) === "web") return to.startsWith("src/web/kit/")
  return rooms.includes(room(to))
}

/** Where a kind of workers is at home, and the two programs that do nothing but read its chat templates. */
const ofKinds =
  /^src\/(machines\/kinds|layers\/(kinds|engine|runtimes))\/|^src\/main\/(tokenizer|cli\/commands\/dialect)\.ts$/

/** Where Effect's own decoders are called: they throw at some values. */
const decoders = new Set(["src/machines/formats/json/decode.ts", "src/protocol/wire/codec.ts"])

/** The breaches of one file; `path` is relative to the root, with forward slashes. */
export const breaches = (path, text) => {
  const found = []
  const source = path.startsWith("src/")
  text.split("\n").forEach((line, index) => {
    const at = (rule) => found.push(`${path}:${index + 1} ${rule}`)
    const code = line.replace(/^\s*(\*|\/\/|\/\*).*$/, "").replace(/\s\/\/ .*$/, "")
    if (source && (escapes.test(code) || silencers.test(line))) at("types are not escaped from")
    if (marks.test(line)) at("no unfinished marks, no switched-off tests")
    if (source && ["machines", "protocol", "actors"].includes(room(path)) && clock.test(code))
      at("time and chance come through layers")
    if (
      source &&
      room(path) === "machines" &&
      /from "(node:|effect\/(Effect|Layer|Fiber|Clock|Random|Runtime|Stream)")/.test(code)
    )
      at("machines are pure")
    if (source && room(path) === "protocol" && /from "(node:|effect\/Layer")/.test(code)) at("the protocol is pure")
    if (source && room(path) === "actors" && /from "node:(?!path|buffer)/.test(code))
      at("actors reach the world through layers")
    if (source && readsDetails(code) && path !== "src/machines/facts.ts") at("facts of errors are read by `fact`")
    if (source && /\b(Schema|ParseResult)\.decodeUnknown/.test(code) && !decoders.has(path))
      at("what others say is decoded by machines/formats/json/decode.ts")
    if (source && !ofKinds.test(path) && /\/llama[/.]/.test(code) && /(from|import\() ?"\./.test(code))
      at("who is of no kind of workers names none (src/layers/kinds knows them)")
    for (const to of source ? importsOf(path, code) : [])
      if (!mayImport(path, to)) at(`${room(path)} may not import ${to}`)
  })
  return found
}

/** The files of src that a text imports, types included. */
const importsOf = (path, text) =>
  [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)]
    .map(([, target]) => join(dirname(path), target))
    .filter((to) => to.startsWith("src/"))

/** The circles of a graph: `edges` is node → those it points to. Strongly connected (Tarjan). */
const circlesOf = (edges) => {
  const found = []
  const seen = new Map()
  const open = []
  const visit = (node) => {
    const own = seen.size
    seen.set(node, own)
    open.push(node)
    let lowest = own
    for (const to of edges.get(node)) {
      if (!edges.has(to)) continue
      if (!seen.has(to)) lowest = Math.min(lowest, visit(to))
      else if (open.includes(to)) lowest = Math.min(lowest, seen.get(to))
    }
    if (lowest === own) {
      const circle = open.splice(open.indexOf(node))
      if (circle.length > 1 || edges.get(node).includes(node)) found.push(circle)
    }
    return lowest
  }
  for (const node of edges.keys()) if (!seen.has(node)) visit(node)
  return found
}

/** The circles of files that import each other, types included: `texts` is path → text. */
export const circles = (texts) => circlesOf(new Map([...texts].map(([path, text]) => [path, importsOf(path, text)])))

/** The circles of rooms within `folder`, each of which imports another by some file of it. */
export const circlesOfRooms = (texts, folder) => {
  const within = (path) => (path.startsWith(`${folder}/`) ? path.slice(folder.length + 1).split("/")[0] : undefined)
  const edges = new Map()
  for (const [path, text] of texts) {
    const from = within(path)
    if (from === undefined) continue
    const to = importsOf(path, text).map(within)
    edges.set(from, [...(edges.get(from) ?? []), ...to.filter((one) => one !== undefined && one !== from)])
  }
  return circlesOf(edges)
}

/** What a reader takes in at a glance. */
const mostFiles = 14

/** What is wrong with the folders themselves, of the files of src in all folders (`paths`). */
export const rooms = (paths) => {
  const held = new Map()
  for (const path of paths)
    for (let inner = path, folder = dirname(path); folder !== "."; inner = folder, folder = dirname(folder))
      held.set(folder, (held.get(folder) ?? new Set()).add(inner))
  return [...held].flatMap(([folder, inside]) => {
    const rest = [...inside].filter((path) => !path.endsWith("README.md"))
    const code = rest.filter((path) => /\.\w+$/.test(path))
    return [
      ...(code.length > mostFiles ? [`${folder} has ${code.length} files: at most ${mostFiles} fit in a room`] : []),
      ...(rest.length < 2 ? [`${folder} has one file: it needs no room of its own`] : []),
      ...(inside.has(`${folder}/README.md`) ? [] : [`${folder} has no README.md that says what lives there`])
    ]
  })
}

/** A function that fits on a screen. */
const mostLines = 70
const indentOf = (line) => line.length - line.trimStart().length
/** Where a function's body begins on a line of its own: an arrow, a `function`, a method. */
const begins =
  /(=>( [({[]+)?|\bfunction\b.*[{(]|^\s*\).*\{|^\s+(?!(?:if|for|while|switch|catch|with|else|try)\b)[\w#* ]+\(.*\{)$/
const closes = /^\s*[)}\]]/

/**
 * Functions of more lines than a screen has, without a word above that says why (`// long: …`). Told by indentation, as
 * the formatter makes it: a function ends where something stands as far left as it began.
 */
export const longFunctions = (path, text) => {
  const lines = text.split("\n")
  const found = []
  for (let at = 0; at < lines.length; at++) {
    if (!begins.test(lines[at])) continue
    const depth = indentOf(lines[at])
    const inside = (line) => line === "" || indentOf(line) > depth
    let end = at + 1
    while (end < lines.length && inside(lines[end])) end++
    if (!closes.test(lines[end] ?? "")) end--
    // a signature of several lines begins further up
    let first = at
    while (first > 0 && closes.test(lines[first]))
      do first--
      while (first > 0 && inside(lines[first]))
    if (end - first < mostLines) continue
    let above = first
    while (above > 0 && /^\s*(\/\/|\/?\*)/.test(lines[above - 1])) above--
    if (!/\blong: \S/.test(lines.slice(above, first).join("\n")))
      found.push(`${path}:${first + 1} a function of ${end - first + 1} lines: at most ${mostLines} fit on a screen`)
    at = end
  }
  return found
}

const files = (folder) =>
  readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .flatMap((entry) => (entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)]))

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = resolve(fileURLToPath(new URL("..", import.meta.url)))
  const paths = ["src", "test"].flatMap((folder) => files(join(root, folder))).map((file) => relative(root, file))
  const texts = new Map(
    paths.filter((path) => /\.(tsx?|mjs)$/.test(path)).map((path) => [path, readFileSync(join(root, path), "utf8")])
  )
  const source = new Map([...texts].filter(([path]) => path.startsWith("src/")))
  const found = [
    ...[...texts].flatMap(([path, text]) => breaches(path, text)),
    ...[...source].flatMap(([path, text]) => (/^src\/(actors|layers)\//.test(path) ? longFunctions(path, text) : [])),
    ...circles(source).map((circle) => `${circle.join(" ")} import each other in a circle`),
    ...circlesOfRooms(source, "src/actors").map((circle) => `src/actors: ${circle.join(", ")} import each other`),
    ...rooms(paths.filter((path) => path.startsWith("src/")))
  ]
  for (const breach of found) process.stderr.write(`${breach}\n`)
  if (found.length > 0) process.exit(1)
}
