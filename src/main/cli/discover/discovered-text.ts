/** What was discovered, for people. */
import { printable } from "../../../layers/terminal/index.ts"
import type { Discovered, Machine } from "../../../machines/discovery/discovered.ts"
import { table } from "../table.ts"

const addressOf = ({ address, port }: Machine): string =>
  address === undefined ? "-" : port === undefined ? address : `${address} port ${port}`

const tableOf = (machines: ReadonlyArray<Machine>, room: number | undefined): string =>
  table(
    ["NAME", "ADDRESS", "FOUND IN", "HIVE"],
    machines.map((one) => [one.name, addressOf(one), one.found_in.join(", "), one.hive ?? "-"].map(printable)),
    room
  )

const hashedLine = (hashed: number): string =>
  hashed === 0
    ? ""
    : `${hashed} more ${hashed === 1 ? "is" : "are"} in known hosts by a hash, which nobody can read: ssh's HashKnownHosts is on\n`

export const discoveredText = ({ hashed, lan_problem, machines }: Discovered, room: number | undefined): string => {
  const problems = machines.flatMap(({ name, problem }) =>
    problem === undefined ? [] : [`${printable(name)}: ${printable(problem)}\n`]
  )
  const next = machines.flatMap(({ add }) => (add === undefined ? [] : [`  ${add}\n`]))
  return [
    machines.length === 0 ? "no machine is known to ssh here, or announces ssh\n" : tableOf(machines, room),
    ...problems,
    lan_problem === undefined ? "" : `the local network was not asked: ${printable(lan_problem)}\n`,
    hashedLine(hashed),
    `add one that ssh reaches:\n${next.length === 0 ? "  rbee hives add NAME --host ADDRESS\n" : next.join("")}`
  ].join("")
}
