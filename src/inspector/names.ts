/** What is shown in place of an id: the model, and for whom or where it is. */
import { modelName } from "../web/kit/amounts.ts"
import type { ActorState, JobShown, World } from "./model.ts"

/** `minillama for ada` */
export const jobName = (job: JobShown | undefined): string | undefined => {
  if (job?.view === undefined) return undefined
  const { key, model } = job.view
  return key === undefined ? modelName(model) : `${modelName(model)} for ${key}`
}

/** Of a job or a worker; undefined: nothing is known but the id. */
const known = (world: World, id: string): string | undefined => jobName(world.jobs.get(id)) ?? world.workerNames.get(id)

/** Below its parent. */
export const childName = (world: World, id: string): string => known(world, id) ?? id

/** By itself. */
export const titleOf = (world: World, { child = "", path }: ActorState): string => known(world, child) ?? path
