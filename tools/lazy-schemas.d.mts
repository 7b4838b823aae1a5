/** `source` (TypeScript) with its schemas made when they are first used. */
export const lazySchemas: (source: string) => string
/** The module `rbee:later` that the result imports. */
export const library: string
