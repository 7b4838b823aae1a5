/**
 * A machine that announces services as real ones do: it answers questions of the multicast group of mDNS with packets.
 * Usage: node mdns-responder.cjs OWN-ADDRESS. It says `ready` when it listens, and each question that it heard.
 *
 * `gpu-box` says all of its ssh in one answer, with pointers for the names that come again; `old pc` is a workstation, which
 * says where it is only when it is asked for that.
 */
const { createSocket } = require("node:dgram")

const [own] = process.argv.slice(2)
const group = "224.0.0.251"
const port = 5353
const types = { A: 1, PTR: 12, SRV: 33 }

const short = (value) => [value >> 8, value & 255]
const name = (labels, then = [0]) => [...labels.flatMap((label) => [label.length, ...Buffer.from(label)]), ...then]
const record = (owner, type, data) => [
  ...owner,
  ...short(types[type]),
  ...short(0x8001),
  0,
  0,
  0,
  120,
  ...short(data.length),
  ...data
]
const header = (answers, additional) => [
  ...short(0),
  ...short(0x8400),
  ...short(0),
  ...short(answers),
  ...short(0),
  ...short(additional)
]

const ssh = ["_ssh", "_tcp", "local"]
const workstation = ["_workstation", "_tcp", "local"]
const oldPc = ["old pc [aa:bb:cc:dd:ee:ff]", ...workstation]

/** `gpu-box._ssh._tcp.local`: the service stands at byte 12, right behind the header, and is pointed to. */
const full = () => {
  const service = [0xc0, 12]
  const instance = name(["gpu-box"], service)
  const answer = record(name(ssh), "PTR", instance)
  const host = name(["gpu-box", "local"])
  const srv = record(instance, "SRV", [...short(0), ...short(0), ...short(2222), ...host])
  const a = record(host, "A", own.split(".").map(Number))
  return Buffer.from([...header(1, 2), ...answer, ...srv, ...a])
}
const pointing = () => Buffer.from([...header(1, 0), ...record(name(workstation), "PTR", name(oldPc))])
const located = () =>
  Buffer.from([
    ...header(2, 0),
    ...record(name(oldPc), "SRV", [...short(0), ...short(0), ...short(9), ...name(["old-pc", "local"])]),
    ...record(name(["old-pc", "local"]), "A", [10, 1, 2, 3])
  ])

/** The questions of a message without pointers. */
const questionsIn = (message) => {
  const found = []
  let at = 12
  for (let n = message.readUInt16BE(4); n > 0; n--) {
    const labels = []
    for (; message[at] !== 0; at += message[at] + 1) labels.push(message.toString("utf8", at + 1, at + 1 + message[at]))
    found.push(labels.join("."))
    at += 5
  }
  return found
}

const socket = createSocket({ type: "udp4", reuseAddr: true })
socket.on("message", (message) => {
  if ((message[2] & 0x80) !== 0) return
  const asked = questionsIn(message)
  for (const one of asked) console.log(one)
  const answers = [
    // not well-formed: a name that points to itself
    Buffer.from([...header(1, 0), 0xc0, 12, ...short(types.A), ...short(1), 0, 0, 0, 120, ...short(4), 6, 6, 6, 6]),
    ...(asked.includes(ssh.join(".")) ? [full()] : []),
    ...(asked.includes(workstation.join(".")) ? [pointing()] : []),
    ...(asked.includes(oldPc.join(".")) ? [located()] : [])
  ]
  for (const answer of answers) socket.send(answer, port, group)
})
socket.bind(port, () => {
  socket.addMembership(group, own)
  socket.setMulticastInterface(own)
  console.log("ready")
})
