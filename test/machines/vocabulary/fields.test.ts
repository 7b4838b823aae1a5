/** What of a request is not served, and the values with which it asks for nothing: as each maker's documentation has them. */
import { describe, expect, it } from "vitest"
import { sortFields as sortMessage } from "../../../src/machines/vocabulary/anthropic/fields.ts"
import {
  chatFields,
  generateFields,
  optionFields,
  pullFields,
  showFields
} from "../../../src/machines/vocabulary/ollama/fields.ts"
import { sortCompletion } from "../../../src/machines/vocabulary/openai/completions.ts"
import { sortEmbedding } from "../../../src/machines/vocabulary/openai/embeddings.ts"
import { sortBy, sortFields as sortChat } from "../../../src/machines/vocabulary/openai/fields.ts"
import { sortTokenize } from "../../../src/machines/vocabulary/openai/llama-server.ts"
import { sortRerank, sortScore } from "../../../src/machines/vocabulary/openai/rerank.ts"
import { sortFields as sortResponse } from "../../../src/machines/vocabulary/responses/fields.ts"
import { refused, right } from "./told.ts"

type Values = Readonly<Record<string, unknown>>

const ofDrawing = {
  modalities: ["text"],
  function_call: "none",
  functions: [],
  prompt_cache_retention: "in_memory",
  dynatemp_exponent: 1,
  dynatemp_range: 0,
  grammar: "",
  id_slot: -1,
  lora: [],
  min_keep: 0,
  mirostat: 0,
  mirostat_eta: 0.1,
  mirostat_tau: 5,
  n_discard: 0,
  n_indent: 0,
  n_keep: 0,
  n_predict: -1,
  post_sampling_probs: false,
  reasoning_format: "none",
  response_fields: [],
  return_progress: false,
  return_tokens: false,
  t_max_predict_ms: 0,
  thinking_budget_tokens: -1,
  thinking_forced_open: false,
  top_n_sigma: -1,
  typical_p: 1,
  add_special_tokens: false,
  allowed_token_ids: [],
  bad_words: [],
  best_of: 1,
  documents: [],
  include_stop_str_in_output: false,
  length_penalty: 1,
  min_tokens: 0,
  mm_processor_kwargs: {},
  priority: 0,
  prompt_logprobs: 0,
  repetition_penalty: 1,
  return_token_ids: false,
  return_tokens_as_token_ids: false,
  skip_special_tokens: true,
  spaces_between_special_tokens: true,
  stop_token_ids: [],
  use_beam_search: false
}
/** These ask for something, whatever stands in them. */
const always = `audio prediction web_search_options json_schema samplers chat_template guided_choice guided_grammar
  guided_json guided_regex structured_outputs truncate_prompt_tokens`.split(/\s+/)

const calls = {
  "a chat": [sortChat, { ...ofDrawing, echo: false }, always],
  "a completion": [
    sortCompletion,
    {
      ...ofDrawing,
      add_generation_prompt: true,
      continue_final_message: false,
      response_format: { type: "text" },
      top_logprobs: 0
    },
    always
  ],
  "an embedding": [
    sortEmbedding,
    { add_special_tokens: true, normalize: true, priority: 0, use_activation: true },
    ["content", "additional_data", "chat_template", "messages", "truncate_prompt_tokens"]
  ],
  "a ranking": [
    sortRerank,
    {
      rank_fields: ["text"],
      raw_scores: true,
      truncate: false,
      truncation: false,
      mm_processor_kwargs: {},
      priority: 0
    },
    [
      ...["max_chunks_per_doc", "max_tokens_per_doc", "truncation_direction"],
      ...["activation", "additional_data", "truncate_prompt_tokens", "use_activation"]
    ]
  ],
  "a score": [
    sortScore,
    { mm_processor_kwargs: {}, priority: 0 },
    ["activation", "additional_data", "truncate_prompt_tokens", "use_activation"]
  ],
  "a tokenization": [
    sortTokenize,
    {
      add_special_tokens: true,
      chat_template_kwargs: {},
      continue_final_message: false,
      mm_processor_kwargs: {},
      return_token_strs: false,
      tools: []
    },
    ["add_generation_prompt", "chat_template", "messages", "prompt"]
  ],
  "a message": [sortMessage, { mcp_servers: [] }, ["container", "thread"]],
  "a response": [sortResponse, { context_management: [] }, ["conversation", "prompt"]],
  "a chat of Ollama's": [sortBy(chatFields), { _debug_render_only: false }, []],
  "a generation": [
    sortBy(generateFields),
    { _debug_render_only: false, context: [], height: 0, steps: 0, template: "", width: 0 },
    []
  ],
  "Ollama's options": [
    sortBy(optionFields),
    { mirostat: 0, mirostat_eta: 0.1, mirostat_tau: 5, penalize_newline: true, tfs_z: 1, typical_p: 1 },
    []
  ],
  "a look at a model": [sortBy(showFields), { options: {}, system: "", template: "" }, []],
  "a pull": [sortBy(pullFields), { insecure: false, password: "", username: "" }, []]
} satisfies Readonly<Record<string, readonly [typeof sortChat, Values, ReadonlyArray<string>]>>

describe.each(Object.entries(calls))("%s", (_, [sort, nothings, fields]) => {
  it("may say that it does not want what is not served", () => {
    expect(right(sort(nothings))).toEqual({ asked: {}, ignored: [] })
    for (const field of [...Object.keys(nothings), ...fields])
      expect([field, right(sort({ [field]: null }))]).toEqual([field, { asked: {}, ignored: [] }])
  })

  it("is refused by the name of what it wants and does not get", () => {
    for (const field of [...Object.keys(nothings), ...fields])
      for (const value of ["something", { asks: true }, ["for something"], 0.5])
        expect([field, refused(sort({ [field]: value }))]).toEqual([field, ["UNSUPPORTED_PARAMETER", { field }]])
    for (const field of fields)
      for (const value of ["", 0, false, [], {}])
        expect([field, refused(sort({ [field]: value }))]).toEqual([field, ["UNSUPPORTED_PARAMETER", { field }]])
    for (const [field, nothing] of Object.entries(nothings))
      if (typeof nothing === "boolean")
        expect([field, refused(sort({ [field]: !nothing }))]).toEqual([field, ["UNSUPPORTED_PARAMETER", { field }]])
  })
})

it("a word of older or newer clients for nothing is one as well", () => {
  const more = { function_call: "auto", prompt_cache_retention: "in-memory", reasoning_format: "auto" }
  expect(right(sortChat(more))).toEqual({ asked: {}, ignored: [] })
})
