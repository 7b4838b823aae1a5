/** How amounts and names are written on the pages. */

export const sizeOf = (bytes: number): string =>
  bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`

/** of 10⁶ bytes */
export const megabytes = (mb: number): string => sizeOf(mb * 1e6)

/** `12 345` */
export const grouped = (count: number): string => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, " ")

export const seconds = (s: number): string =>
  s < 60 ? `${s.toFixed(s < 10 ? 1 : 0)} s` : s < 3600 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`

/** As exactly as it matters. */
export const duration = (ms: number): string => {
  const s = Math.max(0, ms) / 1000
  if (s < 1) return `${Math.round(Math.max(0, ms))} ms`
  if (s < 60) return seconds(s)
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`
}

/** `HF:bartowski/Llama-3.2-1B-GGUF:Q4_K_M` is called by what comes after its owner. */
export const modelName = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1)
