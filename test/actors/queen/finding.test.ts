/** Choosing a model under a queen: what fits her devices, what is on its way, and whose it is to end. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { defaultFirst } from "../../../src/actors/queen/models/entries.ts"
import { noOffers, type Offer } from "../../../src/layers/model-offers/index.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { HiveId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"
import { makeWorld } from "../../support/queen/world.ts"

const offer: Offer = {
  models: [{ ref: "HF:acme/tiny:Q8_0", quantization: "Q8_0", file: "tiny-Q8_0.gguf", files: 1, bytes: 3_300_000 }],
  facts: {
    fileBytes: 3_300_000,
    architecture: "llama",
    parameters: 3e6,
    trainedContext: 512,
    quantization: "Q8_0",
    kvElementsPerToken: 1024,
    headLengths: [32],
    stateBytes: 0,
    embedding: 256,
    feedForward: 1024,
    heads: 8,
    layers: 4,
    vocabulary: 4000,
    template: true,
    merges: 0
  }
}
const unreachable = () =>
  rbeeError("DOWNLOAD_FAILED", "hub.test cannot be reached", "Check the network", { unreachable: true })
const localhost = HiveId.make("localhost")

describe("A queen", () => {
  it.scoped("tells of what the hub offers whether it fits each device", () =>
    Effect.gen(function* () {
      const { api, job } = yield* makeWorld({ offers: { ...noOffers, ofHub: () => Effect.succeed(offer) } })
      yield* (yield* job({})).ended
      expect(yield* api.fitModels({ model: "HF:acme/tiny" })).toMatchObject([
        { ref: "HF:acme/tiny:Q8_0", hive: "localhost", device: "cpu", fits: "yes", context: 512 }
      ])
    })
  )

  it.scoped("judges a model that is here by its file where the hub cannot be reached, and says so of another", () =>
    Effect.gen(function* () {
      const files: Array<string> = []
      const offers = {
        ...noOffers,
        ofHub: unreachable,
        ofFile: (_: ModelRef, file: string) => Effect.sync(() => (files.push(file), offer))
      }
      const { api, hive, job } = yield* makeWorld({ offers })
      yield* (yield* job({})).ended
      hive.models.add("HF:acme/tiny:Q8_0")
      expect(yield* api.fitModels({ model: "HF:acme/tiny:Q8_0" })).toMatchObject([{ fits: "yes" }])
      expect(files).toEqual(["/models/HF:acme/tiny:Q8_0.gguf"])
      expect(yield* Effect.flip(api.fitModels({ model: "HF:acme/other" }))).toMatchObject({
        code: "DOWNLOAD_FAILED",
        what: "hub.test cannot be reached"
      })
    })
  )

  it("names first what runs where no model is named, however that is written", () => {
    const models = [{ id: "a" }, { id: "coder" }]
    expect(defaultFirst({ defaultModel: "Coder" }, models).map(({ id }) => id)).toEqual(["coder", "a"])
    expect(defaultFirst({ defaultModel: undefined }, models)).toEqual(models)
  })

  it.scoped("tells what her hives fetch, and has it given up", () =>
    Effect.gen(function* () {
      const { api, hive, job } = yield* makeWorld()
      yield* (yield* job({})).ended
      const running = {
        id: "provision-7",
        model_ref: ModelRef.make("HF:acme/tiny:Q8_0"),
        received: 1,
        total: 4,
        rate: 2
      }
      hive.downloads = [running]
      expect(yield* api.listDownloads({})).toEqual([{ hive: localhost, ...running }])
      yield* api.endDownload({ hive: localhost, id: "provision-7" })
      expect(yield* api.listDownloads({})).toEqual([])
      expect(yield* Effect.flip(api.endDownload({ hive: HiveId.make("elsewhere"), id: "x" }))).toMatchObject({
        code: "HIVE_NOT_FOUND"
      })
    })
  )
})
