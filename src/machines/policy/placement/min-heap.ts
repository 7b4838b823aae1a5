/** Things in the order of a number, the smallest first: a binary heap. */
export class MinHeap<A> {
  private readonly heap: Array<{ readonly at: number; readonly value: A }> = []

  push(at: number, value: A): void {
    const { heap } = this
    let node = heap.length
    const one = { at, value }
    heap.push(one)
    while (node > 0) {
      const parent = (node - 1) >> 1
      const above = heap[parent]
      if (above === undefined || above.at <= at) break
      heap[node] = above
      node = parent
    }
    heap[node] = one
  }

  /** Takes the first one out if its number is at most `until`. */
  popUntil(until: number): A | undefined {
    const { heap } = this
    const [first] = heap
    if (first === undefined || first.at > until) return undefined
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first.value
    let node = 0
    for (;;) {
      let child = 2 * node + 1
      const [left, right] = [heap[child], heap[child + 1]]
      if (left === undefined) break
      if (right !== undefined && right.at < left.at) child += 1
      const least = child === 2 * node + 1 ? left : right
      if (least === undefined || least.at >= last.at) break
      heap[node] = least
      node = child
    }
    heap[node] = last
    return first.value
  }
}
