export declare const leastScore: number
export declare const rooms: ReadonlyArray<{
  readonly name: string
  readonly source: Array<string>
  readonly tests: Array<string>
  readonly without: Array<string>
}>
