/** Models as Anthropic's clients read them. */
import type { AnthropicModel, AnthropicModels } from "../../../machines/vocabulary/anthropic/anthropic.ts"

interface Listed {
  readonly id: string
  /** milliseconds since 1970 */
  readonly createdAt?: number | undefined
}

export const anthropicModel = ({ createdAt = 0, id }: Listed): AnthropicModel => ({
  type: "model",
  id,
  display_name: id,
  created_at: new Date(Math.floor(createdAt / 1000) * 1000).toISOString()
})

/** All on one page. */
export const anthropicModels = (models: ReadonlyArray<Listed>): AnthropicModels => ({
  data: models.map(anthropicModel),
  has_more: false,
  first_id: models[0]?.id ?? null,
  last_id: models.at(-1)?.id ?? null
})
