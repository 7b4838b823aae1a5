/**
 * Units for systemd, of a user or of the machine. Their words: systemd.service(5), systemd.socket(5), systemd.exec(5).
 *
 * A queen's socket is systemd's: it listens whether she is there or not, and starts her with the first connection. So she
 * may sleep, and who connects while she starts waits.
 */
import { isIP } from "node:net"
import { addressInUse, bare, hostInUrl, isLoopback } from "../../machines/vocabulary/address.ts"
import { type Place, type Scope, type Service, type Steps, systemState } from "./service.ts"

/** seconds; a queen's shutdown ends by 33 s, and a hive's before (docs/design.md#shutdown) */
const stopSeconds = 45

/** One word: quoted, its escapes and specifiers taken for what they are. */
const word = (text: string): string => `"${text.replace(/["\\]/g, "\\$&").replaceAll("%", "%%")}"`

/** In a command line words after the first are also searched for variables. */
const commandLine = ([program = "", ...args]: ReadonlyArray<string>): string =>
  [word(program), ...args.map((one) => word(one).replaceAll("$", "$$$$"))].join(" ")

/** What is run: an upgrade puts the newer programs there. `rbee down` ends what a queen woke, too. */
export const execLines = ({ cli, node, program, role }: Pick<Service, "cli" | "node" | "program" | "role">) => [
  `ExecStart=${commandLine([node, program])}`,
  ...(role === "queen" ? [`ExecStop=${commandLine([node, cli, "down"])}`] : [])
]

/**
 * What a queen wakes is in her control group. It outlives a crash of hers, and the next one takes it up. A hive's workers are
 * its children.
 */
const killMode = ({ role }: Service): string => `KillMode=${role === "queen" ? "process" : "mixed"}`

const hardening = ({ isLocal, scope }: Service): ReadonlyArray<string> => [
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictSUIDSGID=yes",
  "SystemCallArchitectures=native",
  "UMask=0077",
  ...(scope === "system" ? ["ProtectSystem=full"] : []),
  ...(isLocal ? ["IPAddressDeny=any", "IPAddressAllow=localhost"] : [])
]

/** As `ListenStream` has it; undefined: a name, which systemd does not look up. */
export const listenStream = (host: string, port: number): string | undefined => {
  const address = bare(host)
  if (isIP(address) !== 0) return `${hostInUrl(address)}:${port}`
  return isLoopback(address) ? `127.0.0.1:${port}` : undefined
}

export const unitName = (role: string, kind: "service" | "socket"): string => `rbee-${role}.${kind}`

export const unitFolder = (scope: Scope, configHome: string): string =>
  scope === "user" ? `${configHome}/systemd/user` : "/etc/systemd/system"

export const socketOf = ({ listens, role }: Service): string =>
  `${[
    "[Unit]",
    `Description=rbee ${role}, whom the first connection wakes`,
    "",
    "[Socket]",
    ...listens.map((one) => `ListenStream=${one}`),
    "",
    "[Install]",
    "WantedBy=sockets.target"
  ].join("\n")}\n`

/** It starts with its socket, and without it where somebody else has the address. */
const withSocket = ({ listens, role }: Service): ReadonlyArray<string> => {
  const socket = unitName(role, "socket")
  return listens.length === 0 ? [] : [`Wants=${socket}`, `After=${socket}`]
}

export const unitOf = (service: Service): string => {
  const { account, environment, role, scope } = service
  return `${[
    "[Unit]",
    `Description=rbee ${role}`,
    ...(scope === "system" ? ["After=network.target"] : []),
    ...withSocket(service),
    "",
    "[Service]",
    "Type=exec",
    ...(account === undefined ? [] : [`User=${account}`, "StateDirectory=rbee", "StateDirectoryMode=0700"]),
    ...Object.entries(environment).map(([name, value]) => `Environment=${word(`${name}=${value}`)}`),
    ...execLines(service),
    killMode(service),
    `TimeoutStopSec=${stopSeconds}`,
    "Restart=on-failure",
    "RestartSec=1",
    // another one has its address: starting again would not help
    `RestartPreventExitStatus=${addressInUse}`,
    ...hardening(service),
    "",
    "[Install]",
    `WantedBy=${scope === "system" ? "multi-user.target" : "default.target"}`
  ].join("\n")}\n`
}

export const systemctlOf = (scope: Scope): ReadonlyArray<string> => [
  "systemctl",
  ...(scope === "user" ? ["--user"] : [])
]

export const systemdSteps = (service: Service, { configHome, user }: Place): Steps => {
  const { listens, role, scope } = service
  const unit = unitName(role, "service")
  const socket = unitName(role, "socket")
  const units = listens.length === 0 ? [unit] : [unit, socket]
  const isUser = scope === "user"
  const systemctl = systemctlOf(scope)
  const folder = unitFolder(scope, configHome)
  return {
    files: [
      { file: `${folder}/${unit}`, text: unitOf(service) },
      ...(listens.length === 0 ? [] : [{ file: `${folder}/${socket}`, text: socketOf(service) }])
    ],
    install: [
      [...systemctl, "daemon-reload"],
      [...systemctl, "enable", ...units],
      // its socket comes up in between, while nobody has the address
      [...systemctl, "restart", unit]
    ],
    uninstall: [[...systemctl, "disable", "--now", ...units]],
    forget: [[...systemctl, "daemon-reload"]],
    status: [...systemctl, "show", "--property=Id,ActiveState,SubState,UnitFileState,MainPID,Result", ...units],
    logs: (lines) => [
      "journalctl",
      ...(isUser ? ["--user"] : []),
      "--no-pager",
      "--output=cat",
      `--lines=${lines}`,
      `--unit=${unit}`
    ],
    notes: isUser
      ? [`it starts when ${user} logs in; to have it start at boot: loginctl enable-linger ${user}`]
      : [`it starts at boot, as ${service.account}; its state is in ${systemState}`]
  }
}
