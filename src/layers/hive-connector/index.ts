/** How the queen reaches a hive. */
import * as Context from "effect/Context"
import type { HiveApi } from "../../protocol/hive.ts"

/** How the queen reaches a hive by its url. */
export class HiveConnector extends Context.Tag("rbee/HiveConnector")<
  HiveConnector,
  { readonly connect: (url: string) => HiveApi }
>() {}
