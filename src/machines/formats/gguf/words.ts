/** The words of a vocabulary, none of which may be there twice: llama.cpp gives up its process over it. */

/** Words as they lie in the header's bytes, found by their hash; a quarter of a million of them take about 20 ms. */
export class Words {
  private readonly bytes: Uint8Array
  private readonly ends: Uint32Array
  private readonly starts: Uint32Array
  /** 1 + the number of a word; 0: free */
  private readonly places: Uint32Array
  private count = 0

  constructor(bytes: Uint8Array, most: number) {
    this.bytes = bytes
    this.starts = new Uint32Array(most)
    this.ends = new Uint32Array(most)
    this.places = new Uint32Array(2 ** Math.ceil(Math.log2(2 * most + 2)))
  }

  /** False: it was there before. A word ends at its first zero byte; an empty one gets a name of its own. */
  add(start: number, limit: number): boolean {
    const { bytes, ends, places, starts } = this
    let end = start
    let hash = 0x811c9dc5
    for (let byte = bytes[end]; end < limit && byte !== 0 && byte !== undefined; byte = bytes[++end]) {
      hash = Math.imul(hash ^ byte, 0x01000193)
    }
    if (end === start) return true
    const mask = places.length - 1
    let at = (hash ^ (hash >>> 15)) & mask
    for (let place = places[at] ?? 0; place !== 0; place = places[at] ?? 0) {
      if (this.isSame(place - 1, start, end)) return false
      at = (at + 1) & mask
    }
    starts[this.count] = start
    ends[this.count] = end
    places[at] = ++this.count
    return true
  }

  private isSame(word: number, start: number, end: number): boolean {
    const from = this.starts[word] ?? 0
    if ((this.ends[word] ?? 0) - from !== end - start) return false
    for (let i = 0; i < end - start; i++) if (this.bytes[from + i] !== this.bytes[start + i]) return false
    return true
  }
}
