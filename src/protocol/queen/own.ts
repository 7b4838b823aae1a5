/** The queen's own calls, those of other makers' clients left out: what hives and keepers ask of her. */
import type { Handlers } from "../endpoint.ts"
import { observeApi } from "./observe.ts"
import { operatorsApi } from "./operators.ts"
import { peersApi } from "./peers.ts"
import { peopleApi } from "./people.ts"
import { usersApi } from "./users.ts"

export const ownApi = { ...usersApi, ...operatorsApi, ...peopleApi, ...peersApi, ...observeApi } as const
export type OwnApi = Handlers<typeof ownApi>
