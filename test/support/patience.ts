/** Time that something may take: said for a machine with nothing else to do; one on which others work gets more. */
import { availableParallelism, loadavg } from "node:os"

/** Those milliseconds, times the processes that wait for each core. */
export const patience = (ms: number): number => ms * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism())
