interface Mutant {
  readonly id: string
  readonly file: string
}

interface TestFile {
  readonly path: string
  readonly loadMs: number
  readonly tests: ReadonlyArray<{ readonly name: string; readonly ms: number }>
  readonly distances: ReadonlyMap<string, number>
  readonly reached: {
    readonly static: Readonly<Record<string, number>>
    readonly perTest: Readonly<Record<string, Readonly<Record<string, number>>>>
  }
}

export declare const sampled: <T>(mutants: ReadonlyArray<T>, size: number | undefined, seed: number) => ReadonlyArray<T>
export declare const testsFor: (
  mutant: Mutant,
  files: ReadonlyArray<TestFile>,
  budgetMs: number
) => {
  /** the tests of each file */
  readonly only: Readonly<Record<string, ReadonlyArray<string>>>
  readonly files: ReadonlyArray<string>
  /** some of them come to it as they are loaded */
  readonly fresh: boolean
  readonly costMs: number
  /** how many there was no time for */
  readonly left: number
}
export declare const intervalOf: (noticed: number, of: number) => readonly [number, number]
