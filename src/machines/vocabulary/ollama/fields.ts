/**
 * Every field of Ollama's requests that somebody has published, sorted as those of OpenAI's are (../openai/fields.ts).
 *
 * Where the lists are from: the types of Ollama's client for JavaScript, and what the documentation of its interface has
 * beside them.
 */
import type { FieldLists } from "../openai/fields.ts"

/** What both ways to have something answered have. */
const answering: FieldLists = {
  served: ["model", "stream", "format", "keep_alive", "think", "options", "logprobs", "top_logprobs"],
  // a prompt that is too long is refused, and nothing of it is ever cut or shifted out
  harmless: ["shift", "truncate"],
  unserved: { _debug_render_only: [false] }
}

export const chatFields: FieldLists = {
  ...answering,
  served: [...answering.served, "messages", "tools"]
}

export const generateFields: FieldLists = {
  ...answering,
  served: [...answering.served, "prompt", "raw", "suffix", "system", "images"],
  unserved: {
    ...answering.unserved,
    context: [[]],
    height: [0],
    steps: [0],
    template: [""],
    width: [0]
  }
}

const embedding: FieldLists = {
  served: ["model", "keep_alive", "options"],
  // a text that is too long is refused, and nothing of it is ever cut
  harmless: ["truncate"],
  unserved: {}
}
export const embedFields: FieldLists = { ...embedding, served: [...embedding.served, "dimensions", "input"] }
export const embeddingFields: FieldLists = { ...embedding, served: [...embedding.served, "prompt"] }

/** Of `options`. */
export const optionFields: FieldLists = {
  served: [
    ...["num_ctx", "num_predict", "temperature", "top_p", "top_k", "min_p", "seed", "stop"],
    ...["repeat_penalty", "presence_penalty", "frequency_penalty", "repeat_last_n"]
  ],
  // how an engine works, which is chosen here for each device; and what to keep of a context that is never shifted
  harmless: [
    "embedding_only",
    "f16_kv",
    "logits_all",
    "low_vram",
    "main_gpu",
    "num_batch",
    "num_gpu",
    "num_keep",
    "num_thread",
    "numa",
    "use_mlock",
    "use_mmap",
    "vocab_only"
  ],
  unserved: {
    mirostat: [0],
    mirostat_eta: [0.1],
    mirostat_tau: [5],
    penalize_newline: [true],
    tfs_z: [1],
    typical_p: [1]
  }
}

export const showFields: FieldLists = {
  served: ["model", "name"],
  harmless: ["verbose"],
  unserved: { options: [{}], system: [""], template: [""] }
}

export const pullFields: FieldLists = {
  served: ["model", "name", "stream"],
  harmless: [],
  unserved: { insecure: [false], password: [""], username: [""] }
}
