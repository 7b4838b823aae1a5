/** A chat template as a function, with nothing of a model but how its first and last token are spelt. */
import { type Render, variablesOf } from "../../../../machines/dialect/template.ts"
import type { Addon, AddonModel } from "../addon.ts"

export interface Spelling {
  readonly bos: string
  readonly eos: string
}

/** Throws where the template cannot be read. What it gives throws where the template refuses. */
export const rendererOf = (addon: Addon, template: string, { bos, eos }: Spelling): Render => {
  const jinja = new addon.AddonJinjaRenderer(template)
  return (input) => jinja.render({ ...variablesOf(input), bos_token: bos, eos_token: eos })
}

export const spellingOf = (model: AddonModel): Spelling => {
  const spelt = (token: number): string => (token < 0 ? "" : (model.getTokenString(token) ?? ""))
  return { bos: spelt(model.tokenBos()), eos: spelt(model.tokenEos()) }
}

/** A model's vocabulary; its weights are left where they are. */
export const openVocabulary = async (addon: Addon, modelPath: string): Promise<AddonModel> => {
  const model = new addon.AddonModel(modelPath, { addonExports: addon, gpuLayers: 0, useMmap: true, vocabOnly: true })
  if (!(await model.init())) throw new Error("the vocabulary cannot be loaded")
  return model
}
