/**
 * The network card of a machine that is off: it hears magic packets for its address and says `packet` for each. Usage:
 * node wake-listener.cjs AA:BB:CC:DD:EE:FF. It says `ready` when it listens.
 */
const { createSocket } = require("node:dgram")

const own = Buffer.from((process.argv[2] ?? "").replaceAll(":", ""), "hex")
const magic = Buffer.concat([Buffer.alloc(6, 0xff), ...Array.from({ length: 16 }, () => own)])

const socket = createSocket("udp4")
socket.on("message", (message) => console.log(message.includes(magic) ? "packet" : "other"))
socket.bind(9, () => console.log("ready"))
