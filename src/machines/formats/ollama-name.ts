/** Names of models as Ollama writes them, and where its folder has their manifests. */

/** The parts of a name, with what Ollama adds where they are not written. */
export interface OllamaName {
  readonly host: string
  readonly namespace: string
  readonly model: string
  readonly tag: string
}

const usual = { host: "registry.ollama.ai", namespace: "library", tag: "latest" }

/** Each is a folder or a file of its own: nothing that leads out of them. */
const part = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}$/
const hostPart = /^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}(?::[0-9]{1,5})?$/

/**
 * @example
 *   ollamaName("llama3.2:3b") // { host: "registry.ollama.ai", namespace: "library", model: "llama3.2", tag: "3b" }
 */
export const ollamaName = (text: string): OllamaName | undefined => {
  const segments = text.split("/")
  const [, model = "", tag = usual.tag] = /^([^:]*)(?::(.*))?$/.exec(segments.pop() ?? "") ?? []
  const namespace = segments.pop() ?? usual.namespace
  const host = segments.pop() ?? usual.host
  const isName =
    segments.length === 0 && hostPart.test(host) && [namespace, model, tag].every((each) => part.test(each))
  return isName ? { host, namespace, model, tag } : undefined
}

/** As short as Ollama lists it; the tag that is meant where none is written is left out. */
export const shortName = ({ host, model, namespace, tag }: OllamaName): string => {
  const isUsual = host === usual.host
  const place = isUsual ? (namespace === usual.namespace ? "" : `${namespace}/`) : `${host}/${namespace}/`
  return `${place}${model}${tag === usual.tag ? "" : `:${tag}`}`
}

/** The manifest's place in the folder of manifests. */
export const manifestPath = ({ host, model, namespace, tag }: OllamaName): ReadonlyArray<string> => [
  host,
  namespace,
  model,
  tag
]
