/** A chat template as a function, with nothing of a model but how its first and last token are spelt. */
import { type Render, variablesOf } from "../../../../machines/dialect/template.ts"
import type { Addon } from "../addon.ts"

export interface Spelling {
  readonly bos: string
  readonly eos: string
}

/** Throws where the template cannot be read. What it gives throws where the template refuses. */
export const rendererOf = (addon: Addon, template: string, { bos, eos }: Spelling): Render => {
  const jinja = new addon.AddonJinjaRenderer(template)
  return (input) => jinja.render({ ...variablesOf(input), bos_token: bos, eos_token: eos })
}

/** Of a model's file; its weights are left where they are. */
export const spellingIn = async (addon: Addon, modelPath: string): Promise<Spelling> => {
  const model = new addon.AddonModel(modelPath, { addonExports: addon, gpuLayers: 0, useMmap: true, vocabOnly: true })
  if (!(await model.init())) return { bos: "", eos: "" }
  const spelt = (token: number): string => (token < 0 ? "" : (model.getTokenString(token) ?? ""))
  const spelling = { bos: spelt(model.tokenBos()), eos: spelt(model.tokenEos()) }
  await model.dispose()
  return spelling
}
