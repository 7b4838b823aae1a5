/** Machines that could be added: what a network's answers say, and which sightings are one machine. */
import { expect, it } from "vitest"
import { announcedIn, questionsAfter } from "../../src/machines/discovery/announced.ts"
import { type Answer, answersIn, questionMessage } from "../../src/machines/discovery/dns.ts"
import { machinesIn, type Sighting } from "../../src/machines/discovery/sightings.ts"
import { parseKnownHosts, readableHosts } from "../../src/machines/formats/known-hosts.ts"
import { HiveId } from "../../src/machines/vocabulary/ids.ts"

const self = { name: "desk.local", addresses: ["10.0.0.1"] }
const ofConfig = (alias: string, address: string, port = 22): Sighting => ({
  seen: "ssh configuration",
  names: [alias],
  address,
  port
})

it("a question is written as RFC 1035 has it", () => {
  const bytes = questionMessage([{ name: ["_ssh", "_tcp", "local"], type: "PTR" }])
  expect(Buffer.from(bytes).toString("latin1")).toBe(
    "\0\0\0\0\0\x01\0\0\0\0\0\0\x04_ssh\x04_tcp\x05local\0\0\x0c\0\x01"
  )
})

/** an answer of one record, whose name and what follows are given */
const message = (...rest: ReadonlyArray<number>) => Uint8Array.from([0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, ...rest])
const box = [3, 98, 111, 120, 0]
const live = [0, 0, 0, 120]

it("addresses of both kinds are read, as a url has them", () => {
  expect(answersIn(message(...box, 0, 1, 0x80, 1, ...live, 0, 4, 10, 0, 0, 7))).toEqual([
    { type: "A", name: ["box"], address: "10.0.0.7" }
  ])
  const v6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
  expect(answersIn(message(...box, 0, 28, 0, 1, ...live, 0, 16, ...v6))).toEqual([
    { type: "AAAA", name: ["box"], address: "2001:db8::1" }
  ])
})

it.each<readonly [what: string, bytes: Uint8Array]>([
  ["a question", Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, ...box, 0, 1, 0, 1, ...live, 0, 4, 1, 2, 3, 4])],
  ["a name that points to itself", message(0xc0, 12, 0, 1, 0, 1, ...live, 0, 4, 1, 2, 3, 4)],
  ["a name that points forward", message(0xc0, 40, 0, 1, 0, 1, ...live, 0, 4, 1, 2, 3, 4)],
  ["an address of three bytes", message(...box, 0, 1, 0, 1, ...live, 0, 3, 1, 2, 3)],
  ["a record that is longer than the message", message(...box, 0, 1, 0, 1, ...live, 0, 40, 1, 2, 3, 4)],
  ["an answer that is taken back", message(...box, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4)],
  ["of another class", message(...box, 0, 1, 0, 3, ...live, 0, 4, 1, 2, 3, 4)],
  ["nothing", new Uint8Array()]
])("%s says nothing", (_, bytes) => {
  expect(answersIn(bytes)).toEqual([])
})

it("no bytes make reading fail or not end", () => {
  let seed = 1
  const draw = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below
  for (let n = 0; n < 5000; n++) {
    const bytes = message(...Array.from({ length: draw(80) }, () => (draw(3) === 0 ? 0xc0 + draw(2) : draw(40))))
    bytes[7] = draw(5)
    expect(Array.isArray(answersIn(bytes))).toBe(true)
  }
})

const service = ["_ssh", "_tcp", "local"]
const answers: ReadonlyArray<Answer> = [
  { type: "PTR", name: service, to: ["my box", ...service] },
  { type: "SRV", name: ["My Box", ...service], to: ["box", "local"], port: 2222 },
  { type: "AAAA", name: ["box", "local"], address: "fe80::1" },
  { type: "AAAA", name: ["box", "local"], address: "2001:db8::1" },
  { type: "A", name: ["BOX", "local"], address: "10.0.0.7" }
]

it("a service leads to its host's address, one of IPv4 before others", () => {
  expect(announcedIn(answers)).toEqual([{ name: "box", address: "10.0.0.7", port: 2222 }])
  expect(announcedIn(answers.slice(0, 4))).toEqual([{ name: "box", address: "2001:db8::1", port: 2222 }])
  expect(announcedIn(answers.slice(0, 3))).toEqual([])
})

it("what was not said is asked next", () => {
  const asked = (known: number) =>
    questionsAfter(answers.slice(0, known))
      .slice(3)
      .map(({ name, type }) => `${type} ${name[0]}`)
  expect([0, 1, 2, 3, 5].map(asked)).toEqual([[], ["SRV my box"], ["A box", "AAAA box"], ["A box", "AAAA box"], []])
})

it("names of known hosts are read with their port, once; patterns are none, hashed ones are counted", () => {
  const text = [
    "attic,10.9.8.7 ssh-ed25519 AAAA",
    "attic,10.9.8.7 ssh-rsa BBBB",
    "[attic]:2200,gate ssh-ed25519 AAAA",
    "*.lab,!x ssh-ed25519 AAAA",
    "@revoked bad ssh-ed25519 AAAA",
    "|1|c2FsdA==|aGFzaA== ssh-ed25519 AAAA",
    "|1|c2FsdA==|aGFzaA== ssh-rsa AAAA"
  ].join("\n")
  expect(readableHosts(parseKnownHosts(text))).toEqual({
    hosts: [
      { names: ["attic", "10.9.8.7"], port: 22 },
      { names: ["attic"], port: 2200 },
      { names: ["gate"], port: 22 }
    ],
    hashed: 1
  })
})

it("sightings with a name or an address and the port in common are one machine, called by its alias", () => {
  const sightings: ReadonlyArray<Sighting> = [
    { seen: "known hosts", names: ["box.local", "10.0.0.7"], port: 22 },
    { seen: "LAN", names: ["box"], address: "10.0.0.8", port: 22, mac: "aa:bb:cc:dd:ee:ff" },
    ofConfig("gpu", "10.0.0.8"),
    ofConfig("other", "10.0.0.8", 2222)
  ]
  expect(machinesIn(sightings, [], self)).toEqual([
    {
      name: "gpu",
      address: "10.0.0.8",
      mac: "aa:bb:cc:dd:ee:ff",
      found_in: ["ssh configuration", "LAN", "known hosts"],
      add: "rbee hives add gpu"
    },
    { name: "other", address: "10.0.0.8", port: 2222, found_in: ["ssh configuration"], add: "rbee hives add other" }
  ])
})

it("this machine is none, but for what is behind another port of it", () => {
  const sightings: ReadonlyArray<Sighting> = [
    { seen: "LAN", names: ["desk"], address: "10.0.0.1" },
    { seen: "known hosts", names: ["localhost"], port: 22 },
    { seen: "known hosts", names: ["localhost"], port: 2222 }
  ]
  expect(machinesIn(sightings, [], self).map(({ name, port }) => [name, port])).toEqual([["localhost", 2222]])
})

it("what is a hive already is told as such, however it was added", () => {
  const hive = (id: string, host: string, port?: number) => ({
    id: HiveId.make(id),
    ssh: { host, hive_port: 8600, ...(port === undefined ? {} : { port }) }
  })
  const sightings: ReadonlyArray<Sighting> = [
    ofConfig("gpu", "10.0.0.8", 2222),
    { seen: "LAN", names: ["attic"], address: "10.0.0.9" },
    { seen: "known hosts", names: ["cellar"], port: 2200 },
    { seen: "known hosts", names: ["cellar"], port: 22 }
  ]
  const hives = [hive("one", "gpu"), hive("two", "10.0.0.9"), hive("three", "cellar", 2200)]
  expect(machinesIn(sightings, hives, self).map(({ add, hive: is }) => is ?? add)).toEqual([
    "one",
    "two",
    "three",
    "rbee hives add cellar"
  ])
})

it("a name from the network becomes none that a shell or a hive would not take", () => {
  const names = ["$(reboot)", "--help", "a b;c", "-"]
  const sightings = names.map((name, at): Sighting => ({ seen: "LAN", names: [name], address: `10.0.1.${at}` }))
  expect(machinesIn(sightings, [], self).map(({ add }) => add)).toEqual([
    "rbee hives add reboot- --host 10.0.1.0",
    "rbee hives add help --host 10.0.1.1",
    "rbee hives add a-b-c --host 10.0.1.2",
    undefined
  ])
})
