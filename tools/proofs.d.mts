export interface Proof {
  readonly name: string
  /** on two cores with nothing else to do */
  readonly minutes: number
  readonly needs: string
  readonly what: string
  readonly steps: (options: { readonly minutes?: number }) => ReadonlyArray<ReadonlyArray<string>>
}

export declare const proofs: ReadonlyArray<Proof>

/** One line for each, as CONTRIBUTING.md has them. */
export declare const listed: string
