import { playWorker } from "./play-worker.ts"

/** more than any workload asks for, so that none of them waits for a slot */
playWorker(600)
