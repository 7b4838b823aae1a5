/**
 * Machines that could be added: of ssh's configuration, its known hosts and what the local network announces. No machine is
 * contacted, nobody is woken, and nothing is added.
 */
import { hostname } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Discovered } from "../../machines/discovery/discovered.ts"
import { machinesIn, type Sighting } from "../../machines/discovery/sightings.ts"
import { decoder } from "../../machines/formats/json/decode.ts"
import { SshPlace } from "../../machines/vocabulary/place.ts"
import { queenFolder } from "../paths/index.ts"
import { hivesKnownIn } from "../queen-catalog/read.ts"
import type { Settings } from "../settings/index.ts"
import { configuredHosts, knownHostNames } from "../ssh/named-hosts.ts"
import { resolve } from "../ssh/resolve.ts"
import { announced } from "./announced.ts"
import { ownAddresses } from "./interfaces.ts"

/** what `ssh -G` may take for one of them: a `Match exec` of theirs may run long */
const resolveMs = 2000

interface Configured {
  readonly sighting: Sighting
  readonly knownHosts: ReadonlyArray<string>
}

/** What ssh would make of its alias; what it cannot tell is left open. */
const configured = (alias: string, config: string | undefined): Effect.Effect<Configured> =>
  Effect.gen(function* () {
    // the hive's own port is nothing to ssh
    const place = yield* decoder(SshPlace)({ host: alias, hive_port: 1 })
    const { host, port, userKnownHosts } = yield* Effect.timeout(resolve(place, config), resolveMs)
    const sighting: Sighting = { seen: "ssh configuration", names: [alias], address: host, port }
    return { sighting, knownHosts: userKnownHosts }
  }).pipe(
    Effect.catchAll((error) => {
      const problem = "what" in error ? error.what : undefined
      const sighting: Sighting = { seen: "ssh configuration", names: [alias], problem }
      return Effect.succeed({ sighting, knownHosts: [] })
    })
  )

export const discovered = ({ home, queen }: Settings): Effect.Effect<Discovered> =>
  Effect.gen(function* () {
    const [ofConfig, heard, hives] = yield* Effect.all(
      [
        Effect.forEach(configuredHosts(queen.sshConfig), (alias) => configured(alias, queen.sshConfig), {
          concurrency: 8
        }),
        announced,
        hivesKnownIn(join(queenFolder(home), "catalog.sqlite"))
      ],
      { concurrency: "unbounded" }
    )
    const { hashed, hosts } = knownHostNames(ofConfig.flatMap(({ knownHosts }) => knownHosts))
    const sightings: ReadonlyArray<Sighting> = [
      ...ofConfig.map(({ sighting }) => sighting),
      ...heard.machines.map(({ name, ...rest }): Sighting => ({ seen: "LAN", names: [name], ...rest })),
      ...hosts.map(({ names, port }): Sighting => ({ seen: "known hosts", names, port }))
    ]
    const machines = machinesIn(sightings, hives, { name: hostname(), addresses: ownAddresses() })
    return { machines, hashed, ...(heard.problem === undefined ? {} : { lan_problem: heard.problem }) }
  })
