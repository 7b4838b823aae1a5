/**
 * What is known before a model is loaded: how the bundled one writes. Learning takes a process, for which the first
 * answer on a new machine would wait.
 */
import { contentOnly, type LearnedDialect } from "./dialect.ts"

/** By the hash of the template; `test/layers/engine/forms.test.ts` learns it anew. */
export const shipped: LearnedDialect = {
  template: "153280e3ff55d19da1398bdb3914ee2a51b80429bfaedde11d7d216c39db80f3",
  dialect: {
    ...contentOnly("the template shows no calls"),
    end: ["<|im_end|>"],
    roles: ["system", "user", "assistant", "tool"]
  }
}
