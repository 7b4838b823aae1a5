/** How hives and keepers reach a queen. */
import * as Context from "effect/Context"
import type { OwnApi } from "../../protocol/queen/own.ts"

export class QueenConnector extends Context.Tag("rbee/QueenConnector")<
  QueenConnector,
  {
    /** `secret`: what a hive of another machine shows; absent: the cluster's token */
    readonly connect: (url: string, secret?: string) => OwnApi
  }
>() {}
