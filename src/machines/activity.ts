/**
 * The type of an `invoke` in a chart. A chart names its activities and says what they take and give; the actor that
 * runs the chart provides the Effect of that name. Nothing here does any work: a chart is data.
 *
 * @example
 *   setup({ actors: { load: activity<LoadedModel, ParsedRef>() } }).createMachine({
 *     states: { loading: { invoke: { src: "load", input: ({ context }) => context.model, onDone: "healthy" } } }
 *   })
 */
import type { ActorLogic, EventObject, Snapshot } from "xstate"

/** What `invoke: { src }` names: `Input` is what the chart hands over, `Output` is `event.output` of `onDone`. */
export type Activity<Output, Input> = ActorLogic<Snapshot<Output>, EventObject, Input>

/** Declares an activity in `setup({ actors })`. An activity that only fails or is left has `Output` never or void. */
export const activity = <Output = void, Input = undefined>(): Activity<Output, Input> => ({
  getInitialSnapshot: () => ({ status: "active", output: undefined, error: undefined }),
  transition: (snapshot) => snapshot,
  getPersistedSnapshot: (snapshot) => snapshot
})
