/** Vectors as text: each a line, the base64 of 32-bit floats, the low byte first. */

export const vectorLine = (vector: Float32Array): string => {
  const bytes = Buffer.alloc(4 * vector.length)
  vector.forEach((value, i) => bytes.writeFloatLE(value, 4 * i))
  return `${bytes.toString("base64")}\n`
}

/** What such lines say. */
export const vectorsIn = (lines: string): ReadonlyArray<Float32Array> =>
  lines
    .split("\n")
    .filter((line) => line !== "")
    .map(vectorOf)

const vectorOf = (line: string): Float32Array => {
  const bytes = Buffer.from(line, "base64")
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readFloatLE(4 * i))
}

/** Of length one; all zeros stay so. */
export const normalised = (vector: Float32Array): Float32Array => {
  let sum = 0
  for (const value of vector) sum += value * value
  const scale = sum > 0 ? 1 / Math.sqrt(sum) : 0
  return vector.map((value) => value * scale)
}
