/**
 * The worker program: one model, loaded on one device, that answers over HTTP. Its hive starts it with a plan, hears of
 * it on descriptor 3 and holds it by its stdin.
 *
 * Exit codes: 0 ended as asked, 1 a bug (the reason is on stderr), 2 a bad argument, 3 an expected failure to start,
 * which it told its hive.
 */
import "./working-folder.ts"
import { keepNurserySmall } from "./worker/nursery.ts"
import { runWorker } from "./worker/run.ts"

keepNurserySmall()
runWorker()
