/** What hives of other machines need of SSH here. */
import { type Finding, ok, type Trouble, warn, wrong } from "./finding.ts"

export interface SshFacts {
  /** "OpenSSH_9.2p1"; undefined: there is no ssh */
  readonly version: string | undefined
  readonly agent: "none" | "answers" | "dead"
  /** hives that are reached over SSH */
  readonly hives: number
}

export const sshFinding = ({ agent, hives, version }: SshFacts): Finding => {
  const wanted =
    hives === 0 ? "no hive is reached by it" : `${hives} ${hives === 1 ? "hive is" : "hives are"} reached by it`
  const seen = `${version ?? "there is no ssh"}, agent: ${agent}; ${wanted}`
  if (hives === 0) return ok("ssh", seen)
  if (version === undefined)
    return warn(
      "ssh",
      `${seen}; of its configuration Include and Match are not read without it`,
      "Install openssh-client"
    )
  if (agent === "dead")
    return warn(
      "ssh",
      `${seen}: nobody answers at SSH_AUTH_SOCK`,
      "Start an agent (eval $(ssh-agent); ssh-add), or unset it"
    )
  return ok("ssh", seen)
}

export interface HostFacts {
  readonly hive: string
  /** `[host]:port` as known_hosts has it */
  readonly host: string
  readonly isKnown: boolean
  /** why its configuration, its key or the known hosts cannot be used */
  readonly trouble: Trouble | undefined
}

export const hostFinding = ({ hive, host, isKnown, trouble }: HostFacts): Finding => {
  if (trouble !== undefined) return wrong("ssh", `hive ${hive}: ${trouble.what}`, trouble.todo)
  return isKnown
    ? ok("ssh", `the host key of ${host} (hive ${hive}) is known`)
    : wrong(
        "ssh",
        `the host key of ${host} (hive ${hive}) is not known`,
        `Compare it with \`ssh-keygen -lf /etc/ssh/ssh_host_*.pub\` there, then connect once: ssh ${host.replace(/^\[(.*)\]:(\d+)$/, "-p $2 $1")} true`
      )
}
