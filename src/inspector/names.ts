/** What is shown in place of an id: the model, and for whom or where it is. */
import { modelName } from "../web/kit/amounts.ts"
import type { ActorState, JobShown, World } from "./model.ts"

/** Undefined: nothing is known of it but its id. */
const known = (world: World, { child = "", machine }: ActorState): string | undefined => {
  if (machine === "job") return jobName(world.jobs.get(child))
  return machine === "worker" ? world.workerNames.get(child) : undefined
}

/** `minillama for ada` */
export const jobName = (job: JobShown | undefined): string | undefined => {
  if (job?.view === undefined) return undefined
  const { key, model } = job.view
  return key === undefined ? modelName(model) : `${modelName(model)} for ${key}`
}

/** In a tree, below its parent. */
export const nameOf = (world: World, actor: ActorState): string => known(world, actor) ?? actor.child ?? actor.path

/** By itself. */
export const titleOf = (world: World, actor: ActorState): string => known(world, actor) ?? actor.path
