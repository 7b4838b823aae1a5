/** The flags of `rbee infer` and `rbee chat`, and what they give. */
import { ranges } from "../../../machines/vocabulary/common.ts"
import { flag, number, id, taking, text, texts, type Values } from "../spec.ts"
import { HiveId, DeviceId } from "../../../machines/vocabulary/ids.ts"

export const flags = {
  model: taking(
    "models",
    text(
      "model",
      "REF",
      "HF:author/repo[:QUANT|:file.gguf][@rev], file:/path.gguf, the name of a model that is here, or minillama (default)",
      "m"
    )
  ),
  hive: taking("hives", id(HiveId, "hive", "ALIAS", "run on this hive")),
  device: taking("devices", id(DeviceId, "device", "ID", "run on this device: cpu, gpu0, gpu1, …")),
  noCpu: flag("no-cpu", "fail rather than fall back to the CPU"),
  system: text("system", "TEXT", "system message", "s"),
  noStream: flag("no-stream", "print the whole answer at once"),
  maxTokens: number("max-tokens", "N", "longest answer, in tokens; default: the rest of the context", {
    alias: "n",
    whole: true,
    within: ranges.max_tokens
  }),
  temperature: number("temperature", "T", "0 (always the likeliest token) to 2", {
    alias: "t",
    within: ranges.temperature
  }),
  topP: number("top-p", "P", "nucleus sampling, 0 to 1", { within: ranges.top_p }),
  topK: number("top-k", "K", "only the K likeliest tokens; 0: off", { whole: true, within: ranges.top_k }),
  seed: number("seed", "N", "the same seed gives the same text", { whole: true, within: ranges.seed }),
  stop: texts("stop", "TEXT", "end the answer before this text; may be repeated"),
  ignoreEos: flag("ignore-eos", "go on where the model would end, up to --max-tokens"),
  context: number(
    "context",
    "TOKENS",
    "context of the answer; default: what fits, at most 32768, or what the prompt needs",
    { whole: true, within: ranges.context }
  ),
  json: flag("json", "one JSON object a line on stdout: narration, tokens, progress, the end"),
  raw: flag("raw", "the answer byte for byte, also on a terminal, which is steered by what stands in it"),
  quiet: flag("quiet", "only the answer, and errors", "q"),
  cold: flag("cold", "end afterwards what this run woke"),
  keepWarm: flag("keep-warm", "keep the worker loaded, also when it idles"),
  oneProcess: flag("one-process", "no daemons and no ports: everything in this process"),
  inspect: flag("inspect", "with --one-process: the inspector on a loopback port, the only one")
}

/** What `infer` was asked for, as the parser gives it. */
export type InferValues = Values<typeof flags>

const { context, device, hive, keepWarm, maxTokens, noCpu, seed, stop, system, temperature, topK, topP } = flags
/** those that make sense for more than one answer */
export const ofChat = { system, maxTokens, temperature, topP, topK, seed, stop, context, hive, device, noCpu, keepWarm }

/** What a chat was asked for, as the parser gives it. */
export type ChatValues = Values<typeof ofChat>
