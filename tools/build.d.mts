import type { BuildOptions, BuildResult } from "esbuild"

/** Bundles `entries` ({name: file}) into `outdir`; with `metafile: true` the result tells what went in. */
export const bundle: <Options extends BuildOptions>(
  entries: Readonly<Record<string, string>>,
  outdir: string,
  options?: Options
) => Promise<BuildResult<Options>>
