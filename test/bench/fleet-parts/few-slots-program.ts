import { playWorker } from "../relay-parts/play-worker.ts"

/** so few that thousands wait */
playWorker(4)
