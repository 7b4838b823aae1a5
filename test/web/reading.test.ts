/** What the queen's page makes of what it is told. */
import { assert, describe, it } from "vitest"
import { askableIn } from "../../src/web/chat/askable.ts"
import { grouped, seconds, sizeOf } from "../../src/web/kit/amounts.ts"
import { events } from "../../src/web/kit/events.ts"
import { candidatesIn, hiveIn, logLine, machineLines } from "../../src/web/machines/read.ts"
import { emptyPlace, wantedOf } from "../../src/web/machines/typed-place.ts"
import { changeOf, draftOf } from "../../src/web/models/draft.ts"
import { entriesIn, fitsIn, whatIsSet } from "../../src/web/models/read.ts"
import { everyDay, usageIn } from "../../src/web/usage/read.ts"

describe("the queen's page", () => {
  it("offers what chats, and names of one's own with what they stand for", () => {
    const list = askableIn({
      data: [
        { id: "vectors", purpose: "embeddings" },
        { id: "minillama", purpose: "chat" },
        { id: "coder", stands_for: "HF:acme/coder" },
        7
      ]
    })
    assert.deepEqual(list, {
      all: [
        { name: "minillama", standsFor: undefined },
        { name: "coder", standsFor: "HF:acme/coder" }
      ],
      first: "minillama"
    })
    assert.deepEqual(askableIn("nonsense"), { all: [], first: undefined })
  })

  it("reads events wherever a network cuts them, and passes over what is none", () => {
    const text =
      'retry: 1000\n\nevent: narration\ndata: {"human":"a"}\n\n: still here\n\nid: 2\nevent: done\ndata: {"version":"1"}\n\n'
    for (let at = 0; at <= text.length; at++) {
      const heard: Array<[string, unknown]> = []
      const hear = events((name, data, id) => void heard.push([`${id} ${name}`, data]))
      hear(text.slice(0, at))
      hear(text.slice(at))
      assert.deepEqual(heard, [
        [" narration", { human: "a" }],
        ["2 done", { version: "1" }]
      ])
    }
  })

  it("tells what fits as the queen does, a model with its devices", () => {
    const row = { ref: "HF:a/b:Q8_0", quantization: "Q8_0", bytes: 3e9, hive: "localhost", name: "8 cores", slots: 4 }
    const [fit, ...more] = fitsIn([
      { ...row, device: "gpu0", fits: "no", memory_mb: 9, available_mb: 8 },
      { ...row, device: "cpu", fits: "yes", context: 512, memory_mb: 9, tokens_per_s: 12 }
    ])
    assert.isEmpty(more)
    assert.deepEqual(
      fit?.places.map(({ device, fits, tokensPerS }) => [device, fits, tokensPerS]),
      [
        ["gpu0", "no", undefined],
        ["cpu", "yes", 12]
      ]
    )
  })

  it("changes of a preset what was changed, and leaves the rest as its owner wrote it", () => {
    const [entry] = entriesIn({
      default_model: null,
      models: [{ name: "coder", ref: "minillama", temperature: 0.2, system: "Be brief", dry_base: 2 }]
    }).all
    if (entry === undefined) throw new Error("there is no entry")
    assert.strictEqual(whatIsSet(entry), "temperature 0.2 · system Be brief · dry base 2")
    const draft = draftOf(entry)
    assert.deepEqual(changeOf(entry, draft), { fields: {}, unset: [] })
    assert.deepEqual(changeOf(entry, { ...draft, temperature: "0.5", system: " ", keep_loaded: true }), {
      fields: { temperature: 0.5, keep_loaded: true },
      unset: ["system"]
    })
    assert.deepEqual(changeOf(undefined, { ...draftOf(undefined), name: "x", ref: "minillama" }), {
      fields: { ref: "minillama" },
      unset: []
    })
  })

  it("shows each day of usage, those without jobs too, and who used most first", () => {
    const day = { jobs: 1, prompt_tokens: 5, cached_tokens: 2, completion_tokens: 7, device_s: 1.5 }
    const usage = usageIn({
      day: "2026-03-01",
      keys: [
        { key: "ada", running: 0, days: [{ ...day, day: "2026-02-28" }] },
        {
          key: "ben",
          running: 1,
          tokens_per_day: { max: 10, left: 3 },
          days: [day, day].map((one) => ({ ...one, day: "2026-03-01" }))
        }
      ]
    })
    assert.deepEqual(
      usage.accounts.map(({ key, sum, tokensPerDay }) => [key, sum.prompt + sum.answer, tokensPerDay?.left]),
      [
        ["ben", 24, 3],
        ["ada", 12, undefined]
      ]
    )
    const days = everyDay(usage.day, usage.accounts[1]?.days ?? [], 3)
    assert.deepEqual(
      days.map(({ answer, day: at }) => [at, answer]),
      [
        ["2026-02-27", 0],
        ["2026-02-28", 7],
        ["2026-03-01", 0]
      ]
    )
  })

  it("writes logs and machines as people read them", () => {
    const line = { timestamp: "2026-11-30T12:04:05.678Z", logLevel: "INFO", message: "it began", annotations: { a: 1 } }
    assert.strictEqual(logLine(JSON.stringify(line)), "12:04:05 INFO it began a=1")
    assert.strictEqual(logLine("Segmentation fault"), "Segmentation fault")
    const told = machineLines({ platform: "linux", arch: "x64", cores: 8, node: "v20.20.2", clock_ahead_ms: 9000 })
    assert.include(told, "Node v20.20.2")
    assert.match(told.join("\n"), /its clock is off by 9 s/)
  })

  it("offers machines that could be added as ssh reaches them, and says what is in the way of the others", () => {
    const [named, heard, known] = candidatesIn({
      machines: [
        { name: "gpu-box", address: "10.0.0.7", port: 2222, found_in: ["ssh configuration", "LAN"] },
        { name: "attic", address: "10.0.0.8", port: 2022, mac: "aa:bb:cc:dd:ee:ff", found_in: ["LAN"] },
        { name: "old", found_in: ["known hosts"], hive: "old-pc" }
      ]
    })
    assert.deepInclude(named, { name: "gpu-box", host: "", port: undefined, obstacle: undefined })
    assert.deepInclude(heard, { host: "10.0.0.8", port: 2022, mac: "aa:bb:cc:dd:ee:ff" })
    assert.strictEqual(known?.obstacle, "it is old-pc")
  })

  it("tells the queen of a machine what was typed, and nothing else", () => {
    assert.deepEqual(wantedOf({ ...emptyPlace, id: "gpu-box" }), { ssh: { host: "gpu-box", hive_port: 8600 } })
    const typed = { id: "gpu-box", host: " 10.0.0.7 ", user: "ada", port: "2222", mac: "aa:bb:cc:dd:ee:ff" }
    assert.deepEqual(wantedOf({ ...emptyPlace, ...typed, sleepMinutes: "30", isDirect: true }), {
      ssh: { host: "10.0.0.7", hive_port: 8600, user: "ada", port: 2222, direct: true },
      power: { mac: "aa:bb:cc:dd:ee:ff", sleep_after_s: 1800 }
    })
  })

  it("says how a machine sleeps", () => {
    const power = { mac: "aa:bb:cc:dd:ee:ff", sleep_after_s: 1800 }
    assert.strictEqual(
      hiveIn({ id: "a", power, usually_up_s: 42 }).power,
      "sleeps when it was idle for 30 min, is woken by a request (aa:bb:cc:dd:ee:ff), usually up in 42 s"
    )
    assert.isUndefined(hiveIn({ id: "a" }).power)
  })

  it("writes amounts shortly", () => {
    assert.deepEqual([sizeOf(3_300_000), sizeOf(120e6), sizeOf(4.7e9)], ["3.3 MB", "120 MB", "4.7 GB"])
    assert.deepEqual([grouped(1_234_567), grouped(12)], ["1 234 567", "12"])
    assert.deepEqual([seconds(2.34), seconds(90), seconds(7200)], ["2.3 s", "2 min", "2.0 h"])
  })
})
