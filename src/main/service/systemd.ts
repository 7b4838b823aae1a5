/** A unit for systemd, of a user or of the machine. Its words: systemd.service(5), systemd.exec(5). */
import { addressInUse } from "../../machines/vocabulary/address.ts"
import { type Place, type Service, type Steps, systemState } from "./service.ts"

/** seconds; a queen's shutdown ends by 33 s, and a hive's before (docs/design.md#shutdown) */
const stopSeconds = 45

/** One word: quoted, its escapes and specifiers taken for what they are. */
const word = (text: string): string => `"${text.replace(/["\\]/g, "\\$&").replaceAll("%", "%%")}"`

/** In a command line words after the first are also searched for variables. */
const commandLine = ([program = "", ...args]: ReadonlyArray<string>): string =>
  [word(program), ...args.map((one) => word(one).replaceAll("$", "$$$$"))].join(" ")

/**
 * What a queen wakes is in her control group. It outlives a crash of hers, and the next one takes it up; `rbee down` ends
 * it all. A hive's workers are its children.
 */
const ending = ({ cli, node, role }: Service): ReadonlyArray<string> =>
  role === "queen" ? [`ExecStop=${commandLine([node, cli, "down"])}`, "KillMode=process"] : ["KillMode=mixed"]

const hardening = ({ isLocal, scope }: Service): ReadonlyArray<string> => [
  "NoNewPrivileges=yes",
  "LockPersonality=yes",
  "RestrictSUIDSGID=yes",
  "SystemCallArchitectures=native",
  "UMask=0077",
  ...(scope === "system" ? ["ProtectSystem=full"] : []),
  ...(isLocal ? ["IPAddressDeny=any", "IPAddressAllow=localhost"] : [])
]

export const unitOf = (service: Service): string => {
  const { account, environment, node, program, role, scope } = service
  return `${[
    "[Unit]",
    `Description=rbee ${role}`,
    ...(scope === "system" ? ["After=network.target"] : []),
    "",
    "[Service]",
    "Type=exec",
    ...(account === undefined ? [] : [`User=${account}`, "StateDirectory=rbee", "StateDirectoryMode=0700"]),
    ...Object.entries(environment).map(([name, value]) => `Environment=${word(`${name}=${value}`)}`),
    `ExecStart=${commandLine([node, program])}`,
    ...ending(service),
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

export const systemdSteps = (service: Service, { user, userHome }: Place, configHome: string | undefined): Steps => {
  const { role, scope } = service
  const unit = `rbee-${role}.service`
  const isUser = scope === "user"
  const systemctl = ["systemctl", ...(isUser ? ["--user"] : [])]
  return {
    file: isUser ? `${configHome ?? `${userHome}/.config`}/systemd/user/${unit}` : `/etc/systemd/system/${unit}`,
    text: unitOf(service),
    install: [
      [...systemctl, "daemon-reload"],
      [...systemctl, "enable", unit],
      [...systemctl, "restart", unit]
    ],
    uninstall: [[...systemctl, "disable", "--now", unit]],
    forget: [[...systemctl, "daemon-reload"]],
    status: [...systemctl, "show", "--property=ActiveState,SubState,UnitFileState,MainPID,Result", unit],
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
