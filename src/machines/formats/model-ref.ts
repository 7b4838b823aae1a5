/** References to models, as users write them, and their one canonical form, which catalogs and narration use. */
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../errors.ts"
import { isSafePath } from "./hub-names.ts"
import { type OllamaName, ollamaName, shortName } from "./ollama-name.ts"
import { ModelRef } from "../vocabulary/ids.ts"

export type ParsedRef =
  /** ships in the package */
  | { readonly _tag: "Bundled"; readonly name: "minillama"; readonly ref: ModelRef }
  /** a file on the hive's machine, used where it lies */
  | { readonly _tag: "File"; readonly path: string; readonly ref: ModelRef }
  /** what Ollama has fetched on the hive's machine, used where it lies */
  | { readonly _tag: "Ollama"; readonly name: OllamaName; readonly ref: ModelRef }
  /** a file of a Hugging Face repository: by quantisation, by name, or by the hub's choice */
  | {
      readonly _tag: "Hub"
      readonly author: string
      readonly repo: string
      readonly file: string | undefined
      readonly quant: string | undefined
      readonly revision: string | undefined
      readonly ref: ModelRef
    }

/** The default of `infer`: the first run needs no network. */
export const bundledModel = ModelRef.make("minillama")

export const acceptedForms =
  "minillama, file:/absolute/path.gguf, ollama:NAME:TAG, HF:author/repo, HF:author/repo:QUANT, HF:author/repo:file.gguf, each HF form with @revision; hf.co/author/repo and author/repo too"

/** Characters of a whole reference. */
const lengthMax = 512

const name = /^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,95}$/
const quantName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/
const revisionName = /^[A-Za-z0-9](?:[A-Za-z0-9_+/-]|\.(?!\.)){0,255}$/
/** The name ends here: what may follow is a revision. */
const fileAndRevision = /^(.*?\.gguf)(?:@(.*))?$/i

/**
 * Reads a reference. The error never repeats what was written: it may hold escape sequences, or be anything at all.
 *
 * @example
 *   parseModelRef("hf:author/repo:q8_0@main")
 *   // Right { _tag: "Hub", author: "author", repo: "repo", quant: "Q8_0", revision: "main", ref: "HF:author/repo:Q8_0@main" }
 */
export const parseModelRef = (text: string): Either.Either<ParsedRef, RbeeError<"INVALID_REQUEST">> => {
  if (text.length > lengthMax) return refuse(`the model reference is ${text.length} characters long, over ${lengthMax}`)
  // eslint-disable-next-line no-control-regex -- finding them is the point
  if (/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/.test(text))
    return refuse("the model reference has control characters")
  if (/\p{Surrogate}/u.test(text)) return refuse("the model reference has half of a character")
  if (text === "") return refuse("the model reference is empty")
  if (/^file:/i.test(text)) return parseFile(text.slice("file:".length))
  if (/^ollama:/i.test(text)) return parseOllama(text.slice("ollama:".length))
  const plain = text.replace(/:latest$/i, "")
  if (plain.toLowerCase() === bundledModel)
    return Either.right({ _tag: "Bundled", name: "minillama", ref: bundledModel })
  const hub = hubForm(plain)
  if (hub !== undefined) return parseHub(hub)
  return refuse("the model reference has none of the known forms")
}

/** A page of the hub in a browser's address bar: repository, revision, file. */
const hubPage = /^([^/]+\/[^/]+)\/(?:blob|resolve|tree)\/([^/]+)(?:\/([^?]+))?(?:\?.*)?$/

/** What stands after `HF:`, however it is written: `hf.co/a/b:Q4`, a page's address, `a/b`. */
const hubForm = (text: string): string | undefined => {
  if (/^hf:/i.test(text)) return text.slice("hf:".length)
  const address = /^(?:https?:\/\/)?(?:www\.)?(?:hf\.co|huggingface\.co)\/(.+)$/i.exec(text)?.[1]?.replace(/\/$/, "")
  const [, repo, revision, file] = hubPage.exec(address ?? "") ?? []
  if (repo !== undefined) return `${repo}${file === undefined ? "" : `:${file}`}@${revision ?? "main"}`
  return address ?? (/^[A-Za-z0-9][\w.-]*\/[^/:@]+([:@].*)?$/.test(text) ? text : undefined)
}

const refuse = (what: string) =>
  Either.left(rbeeError("INVALID_REQUEST", what, `Accepted: ${acceptedForms}`, { accepted: acceptedForms }))

const parseFile = (rest: string): Either.Either<ParsedRef, RbeeError<"INVALID_REQUEST">> => {
  // file:/a, file:///a; a host (file://host/a) would be another machine
  const path = rest.startsWith("///") ? rest.slice(2) : rest
  if (!path.startsWith("/") || path.startsWith("//"))
    return refuse("file: needs an absolute path on the hive's machine")
  if (path !== path.trim()) return refuse("the path after file: begins or ends with a space")
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== ".")
  if (segments.includes("..")) return refuse("the path after file: must not contain `..`")
  if (segments.length === 0 || path.endsWith("/")) return refuse("file: needs the path of a file")
  const clean = `/${segments.join("/")}`
  return Either.right({ _tag: "File", path: clean, ref: ModelRef.make(`file:${clean}`) })
}

/** The reference of what Ollama calls so. */
export const ollamaRef = (name: OllamaName): ModelRef => ModelRef.make(`ollama:${shortName(name)}`)

const parseOllama = (rest: string): Either.Either<ParsedRef, RbeeError<"INVALID_REQUEST">> => {
  const name = ollamaName(rest)
  return name === undefined
    ? refuse("ollama: needs a name as `ollama list` writes it, such as llama3.2:3b")
    : Either.right({ _tag: "Ollama", name, ref: ollamaRef(name) })
}

/** `author/repo`, what is chosen of it, and the revision: a file's name may have anything in it, also `@` and `:`. */
const partsOfHub = (rest: string) => {
  const [, id = "", chosen = ""] = /^([^:@]*):(.*)$/.exec(rest) ?? []
  const [, file, ofFile] = fileAndRevision.exec(chosen) ?? []
  if (file !== undefined) return { id, file, quant: undefined, revision: ofFile }
  const at = rest.indexOf("@")
  const [head, revision] = at < 0 ? [rest, undefined] : [rest.slice(0, at), rest.slice(at + 1)]
  const colon = head.indexOf(":")
  return colon < 0
    ? { id: head, file: undefined, quant: undefined, revision }
    : { id: head.slice(0, colon), file: undefined, quant: head.slice(colon + 1), revision }
}

const parseHub = (rest: string): Either.Either<ParsedRef, RbeeError<"INVALID_REQUEST">> => {
  const { file, id, quant: written, revision } = partsOfHub(rest)
  const [author, repo, ...more] = id.split("/")
  if (author === undefined || repo === undefined || more.length > 0) return refuse("HF: needs author/repo")
  if (!name.test(author) || !name.test(repo))
    return refuse("author or repo after HF: has characters that are not allowed")
  if (file !== undefined && !isSafePath(file)) return refuse("the file after the repo is no path within it")
  if (written !== undefined && !quantName.test(written))
    return refuse("after the repo comes a quantisation such as Q8_0, or a file that ends with .gguf")
  if (revision !== undefined && !isRevision(revision))
    return refuse("the revision after @ is not a branch, tag or commit")
  const quant = written?.toUpperCase()
  const chosen = file ?? quant
  const ref = ModelRef.make(
    `HF:${author}/${repo}${chosen === undefined ? "" : `:${chosen}`}${revision === undefined ? "" : `@${revision}`}`
  )
  return Either.right({ _tag: "Hub", author, repo, file, quant, revision, ref })
}

const isRevision = (text: string): boolean => revisionName.test(text) && !text.includes("//") && !text.endsWith("/")
