/** A property list for launchd, an agent of a user or a daemon of the machine. Its words: launchd.plist(5). */
import type { Place, Service, Steps } from "./service.ts"

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

type Value = string | boolean | number | ReadonlyArray<string> | Readonly<Record<string, string | boolean>>

const xml = (value: Value | string | boolean, indent: string): string => {
  if (typeof value === "string") return `${indent}<string>${escaped(value)}</string>`
  if (typeof value === "boolean") return `${indent}<${value}/>`
  if (typeof value === "number") return `${indent}<integer>${value}</integer>`
  if (Array.isArray(value))
    return [`${indent}<array>`, ...value.map((one: string) => xml(one, `${indent}  `)), `${indent}</array>`].join("\n")
  return dictionary(value as Readonly<Record<string, Value>>, indent)
}

const dictionary = (entries: Readonly<Record<string, Value>>, indent: string): string =>
  [
    `${indent}<dict>`,
    ...Object.entries(entries).map(
      ([key, value]) => `${indent}  <key>${escaped(key)}</key>\n${xml(value, `${indent}  `)}`
    ),
    `${indent}</dict>`
  ].join("\n")

const labelOf = ({ role }: Service): string => `rbee.${role}`

export const plistOf = (service: Service): string => {
  const { account, environment, log, node, program } = service
  const entries: Readonly<Record<string, Value>> = {
    Label: labelOf(service),
    ...(account === undefined ? {} : { UserName: account }),
    ProgramArguments: [node, program],
    EnvironmentVariables: environment,
    RunAtLoad: true,
    // as Restart=on-failure: who was told to end stays away
    KeepAlive: { SuccessfulExit: false },
    // what a queen wakes outlives a crash of hers
    AbandonProcessGroup: true,
    // seconds; a queen's shutdown ends by 33 s
    ExitTimeOut: 45,
    // octal 077
    Umask: 63,
    StandardOutPath: log,
    StandardErrorPath: log
  }
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
${dictionary(entries, "")}
</plist>
`
}

export const launchdSteps = (service: Service, { uid, userHome }: Place): Steps => {
  const label = labelOf(service)
  const isUser = service.scope === "user"
  const domain = isUser ? `gui/${uid}` : "system"
  const file = `${isUser ? `${userHome}/Library/LaunchAgents` : "/Library/LaunchDaemons"}/${label}.plist`
  return {
    files: [{ file, text: plistOf(service) }],
    install: [["launchctl", "bootstrap", domain, file]],
    uninstall: [["launchctl", "bootout", `${domain}/${label}`]],
    forget: [],
    status: ["launchctl", "print", `${domain}/${label}`],
    logs: (lines) => ["tail", "-n", String(lines), service.log],
    notes: [isUser ? "it starts when you log in" : `it starts at boot, as ${service.account}`]
  }
}
