/** What a hive that is started by hand keeps of the queen that it joined. */
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { defaults } from "../../src/layers/settings/defaults.ts"
import { joiningOf, keepJoined, type Place, secretOf } from "../../src/main/hive/membership.ts"
import { HiveId } from "../../src/machines/vocabulary/ids.ts"

const homes: Array<string> = []
afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true })
})

const placeAt = (state: string, queen?: string): Place => ({
  home: { state, logs: join(state, "logs"), config: join(state, "config.toml") },
  queen: defaults.queen,
  hive: { ...defaults.hive, id: HiveId.make("attic"), queen }
})
const home = () => {
  const made = mkdtempSync(join(tmpdir(), "rbee-membership-"))
  homes.push(made)
  return made
}
const one = { queen: "http://127.0.0.1:8500", invite: "invitation" }
const other = { queen: "http://127.0.0.1:9500", invite: "invitation" }

describe("A hive that is started by hand", () => {
  it("joins nobody without an invitation, and its own queen without one from then on", () => {
    const place = placeAt(home())
    expect(joiningOf(place, undefined)).toBeUndefined()
    expect(joiningOf(place, "invitation")).toEqual(one)
    keepJoined(place, one)
    expect(joiningOf(place, undefined)).toEqual({ queen: one.queen })
    expect(statSync(join(place.home.state, "hive-attic", "joined")).mode & 0o777).toBe(0o600)
  })

  it("keeps its secret for that queen, in a file of its user alone, and has another for another queen", () => {
    const place = placeAt(home())
    const secret = secretOf(place, one)
    keepJoined(place, one)
    expect(secretOf(place, one)).toBe(secret)
    expect(statSync(join(place.home.state, "hive-attic", "secret")).mode & 0o777).toBe(0o600)
    expect(secretOf(place, other)).not.toBe(secret)
  })

  it("has another for another queen, too, where it never heard that the first one took it in", () => {
    const place = placeAt(home())
    const secret = secretOf(place, one)
    expect(secretOf(place, one)).toBe(secret)
    expect(secretOf(place, other)).not.toBe(secret)
  })

  it("does not show its secret to a queen that did not invite it", () => {
    const state = home()
    keepJoined(placeAt(state), one)
    expect(() => joiningOf(placeAt(state, other.queen), undefined)).toThrow("rbee hives invite attic")
  })
})
