/**
 * A hub for machines without internet: a folder of GGUF files with the routes of Hugging Face, as much of them as
 * downloads need. `HF_ENDPOINT=http://127.0.0.1:8700` makes rbee, and other tools, fetch from it.
 *
 * `DIR/author/repo/…/x.gguf` is `HF:author/repo:…/x.gguf`; `DIR/repo/x.gguf` is `HF:local/repo`; `DIR/x.gguf` is
 * `HF:local/NAME` with DIR's own name.
 */
import type { IncomingMessage, ServerResponse } from "node:http"

export interface HubOptions {
  /** absolute */
  readonly folder: string
  readonly host: string
  /** 0 takes a free one */
  readonly port: number
  /**
   * Sees each request first and may answer it, or spoil what the hub will answer: the tests' faults. True: it has
   * answered.
   */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => boolean
}

export interface HubRepo {
  readonly author: string
  readonly repo: string
  readonly files: ReadonlyArray<HubEntry>
}

export interface HubEntry {
  /** in the repository, with `/` */
  readonly path: string
  /** absolute */
  readonly file: string
  readonly bytes: number
  /** lower-case hex; absent: the file is read for it */
  readonly sha256?: string
  /** where the file was fetched as of a commit, that one, and the name by which it was asked for */
  readonly at?: { readonly commit: string; readonly revision: string }
}

export interface Hub {
  readonly url: string
  readonly port: number
  readonly repos: ReadonlyArray<HubRepo>
}

/** What an unlucky or unknown user is told; 8700 is next to the queen's 8500 and the hive's 8600. */
export const hubPort = 8700
