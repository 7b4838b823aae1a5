/// <reference lib="esnext.disposable" />
/**
 * A whole cluster inside your process, without daemons and ports.
 *
 * This file is published as it stands, as the types of the package: it imports nothing that whoever uses it would need.
 */

export interface ClusterOptions {
  /** settings by name, as `rbee help settings` lists them: `{"worker.slots": 2}`; they win over environment and file */
  readonly settings?: Readonly<Record<string, string | number>>
  /** the environment that settings are read from; absent: that of the process */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

export interface Message {
  /** `tool`: what a call gave */
  readonly role: "system" | "user" | "assistant" | "tool"
  readonly content: string
  readonly name?: string
  /** what an assistant thought before it answered */
  readonly reasoning?: string
  readonly tool_calls?: ReadonlyArray<ToolCall>
  /** of a tool's message: the call that it answers */
  readonly tool_call_id?: string
}

/** What the model may call. */
export interface Tool {
  readonly name: string
  readonly description?: string
  /** a JSON schema of the arguments; absent: anything */
  readonly parameters?: Readonly<Record<string, unknown>>
  /** the arguments must fit the schema */
  readonly strict?: boolean
}

/** How the next token is drawn; what is absent is as llama.cpp has it. */
export interface Sampling {
  /** tokens; above the room left the answer ends with `finish_reason: "length"` */
  readonly max_tokens?: number
  /** 0 to 2; 0: always the likeliest token */
  readonly temperature?: number
  readonly top_p?: number
  readonly top_k?: number
  readonly min_p?: number
  readonly xtc_probability?: number
  readonly xtc_threshold?: number
  readonly repeat_penalty?: number
  readonly presence_penalty?: number
  readonly frequency_penalty?: number
  readonly repeat_last_n?: number
  readonly dry_multiplier?: number
  readonly dry_base?: number
  readonly dry_allowed_length?: number
  readonly dry_penalty_last_n?: number
  readonly dry_sequence_breakers?: ReadonlyArray<string>
  /** by the token's number, as text */
  readonly logit_bias?: Readonly<Record<string, number>>
  /** the same seed draws the same answer */
  readonly seed?: number
  readonly stop?: string | ReadonlyArray<string>
  readonly ignore_eos?: boolean
}

/** What a job is asked for beside its prompt. */
export interface InferRequest extends Sampling {
  /** a reference, or a name of the configuration's; absent: its `default_model`, else `minillama` */
  readonly model?: string
  /** the conversation, in place of the prompt */
  readonly messages?: ReadonlyArray<Message>
  readonly tools?: ReadonlyArray<Tool>
  /** whether it has to call one; `{ name }`: that one */
  readonly tool_choice?: "auto" | "none" | "required" | { readonly name: string }
  /** false: one call at most */
  readonly parallel_tool_calls?: boolean
  readonly response_format?:
    | { readonly type: "text" | "json_object" }
    | { readonly type: "json_schema"; readonly name?: string; readonly schema: Readonly<Record<string, unknown>> }
  /** how much the model is to think before it answers; absent: as it likes */
  readonly reasoning?: "off" | { readonly effort?: "minimal" | "low" | "medium" | "high"; readonly budget?: number }
  /** for the model's chat template, as it knows them */
  readonly template_args?: Readonly<Record<string, unknown>>
  /** the last message, an assistant's, is the beginning of the answer */
  readonly continue_final_message?: boolean
  readonly stream?: boolean
  /** tokens that the answer and what comes before it may have together */
  readonly context?: number
  readonly device?: string
  readonly allow_cpu?: boolean
  /** its worker stays loaded when it is idle */
  readonly keep_warm?: boolean
  /** ISO 8601, absolute */
  readonly deadline?: string
}

export interface Job {
  readonly job_id: string
  readonly model: string
  readonly state:
    | "queued"
    | "placing"
    | "provisioning"
    | "starting"
    | "streaming"
    | "degraded"
    | "done"
    | "failed"
    | "cancelled"
  readonly tokens: number
  /** how often it went on elsewhere */
  readonly failovers: number
  /** milliseconds since 1970 */
  readonly created_at: number
  readonly finish_reason?: "stop" | "length" | undefined
  readonly usage?:
    | { readonly prompt_tokens: number; readonly completion_tokens: number; readonly cached_tokens: number }
    | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

/** An expected failure: its message says what happened, with the amounts, and what can be done. */
export interface RbeeError extends Error {
  /** docs/api.md lists them */
  readonly code: string
  /** the HTTP status that stands for it */
  readonly status: number
  readonly what: string
  readonly todo: string
  readonly details: Readonly<Record<string, unknown>>
}
export declare const RbeeError: abstract new (...args: never) => RbeeError

/**
 * @example
 *   const cluster = await Cluster.start()
 *   for await (const text of cluster.infer("hello")) process.stdout.write(text)
 *   await cluster.stop()
 */
export interface Cluster extends AsyncDisposable {
  /**
   * The answer to a prompt, piece by piece as it is decoded. Leaving the loop cancels the job; a job that fails throws
   * its `RbeeError`.
   */
  infer(prompt: string, request?: InferRequest): AsyncGenerator<string, void, void>
  /** Its jobs, newest first. */
  jobs(): Promise<ReadonlyArray<Job>>
  /** Ends workers, hive and queen, and removes the folder of this cluster. */
  stop(): Promise<void>
}
export declare const Cluster: {
  /** Starts the queen; a hive and workers wake when the first job needs them. */
  start(options?: ClusterOptions): Promise<Cluster>
}
