/** Numbers in a fixed order, and the first of them that is large enough in logarithmic time: a segment tree of maxima. */
export class MaxTree {
  private readonly leaves: number
  private readonly max: Float64Array

  constructor(values: ReadonlyArray<number>) {
    let leaves = 1
    while (leaves < values.length) leaves *= 2
    this.leaves = leaves
    this.max = new Float64Array(2 * leaves).fill(Number.NEGATIVE_INFINITY)
    this.max.set(values, leaves)
    for (let node = leaves - 1; node >= 1; node--) this.pull(node)
  }

  at(place: number): number {
    return this.of(this.leaves + place)
  }

  set(at: number, value: number): void {
    let node = this.leaves + at
    if (this.max[node] === value) return
    this.max[node] = value
    for (node >>= 1; node >= 1; node >>= 1) this.pull(node)
  }

  /** The first place from `from` on whose number is at least `least`; -1 where there is none. */
  firstFrom(from: number, least: number): number {
    if (from >= this.leaves) return -1
    let node = this.leaves + from
    // up and to the right, until a subtree holds one
    while (!(this.of(node) >= least)) {
      while (node % 2 === 1) {
        if (node === 1) return -1
        node >>= 1
      }
      node += 1
    }
    // and down to its first
    while (node < this.leaves) {
      node *= 2
      if (!(this.of(node) >= least)) node += 1
    }
    return node - this.leaves
  }

  private of(node: number): number {
    return this.max[node] ?? Number.NEGATIVE_INFINITY
  }

  private pull(node: number): void {
    this.max[node] = Math.max(this.of(2 * node), this.of(2 * node + 1))
  }
}
