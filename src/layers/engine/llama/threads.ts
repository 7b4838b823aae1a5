/** How many CPU threads decode, where nobody says so. */
import { readFileSync } from "node:fs"
import { availableParallelism } from "node:os"

/**
 * Below this many parameters one thread is fastest: the threads meet after every matrix, and these matrices take less
 * time than the meeting (3 M parameters on two shared cores: 1 816 tokens/s with one thread, 57 with two).
 */
export const SMALL_MODEL_PARAMETERS = 30_000_000

/** CPUs that the control group grants (`cpu.max` is "quota period" in µs, or "max …"); no limit: Infinity. */
export const parseCpuMax = (text: string): number => {
  const [quota, period] = text.trim().split(/\s+/).map(Number)
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return Infinity
  return quota / period
}

const granted = (): number => {
  try {
    return parseCpuMax(readFileSync("/sys/fs/cgroup/cpu.max", "utf8"))
  } catch {
    return Infinity // no control groups here, or the root group
  }
}

/**
 * One thread for a small model; else the physical cores that llama.cpp finds good for arithmetic (hyper-threads and
 * efficiency cores slow it down), within what the process may use, less one: the threads wait for each other by
 * spinning, so that one core shared with rbee's own processes slows all of them (100 M parameters on two busy cores:
 * 190 tokens/s with one thread, 47 with two). The setting `worker.threads` overrides.
 */
export const defaultThreads = (parameters: number, mathCores: number): number => {
  if (parameters < SMALL_MODEL_PARAMETERS) return 1
  return Math.max(1, Math.floor(Math.min(mathCores, availableParallelism(), granted())) - 1)
}
