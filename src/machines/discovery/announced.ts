/** Machines of the local network, by the services that they announce (RFC 6763): what was answered, and what to ask next. */
import type { Answer, Name, Question } from "./dns.ts"

export interface Announced {
  /** of the host, without `.local` */
  readonly name: string
  readonly address: string
  /** of its sshd, where it said that */
  readonly port?: number
  /** of its network card, where it said that */
  readonly mac?: string
}

/** A machine that is a workstation to others says nothing of ssh, and its port is a filler. */
const ofSsh = ["_ssh", "_sftp-ssh"]
const services: ReadonlyArray<Name> = [...ofSsh, "_workstation"].map((service) => [service, "_tcp", "local"])

const keyOf = (name: Name): string => name.join("\u0000").toLowerCase()
const isService = (name: Name): boolean => services.some((service) => keyOf(service) === keyOf(name))

const instancesIn = (answers: ReadonlyArray<Answer>): ReadonlyArray<Name> => {
  const instances = answers.flatMap((one) => (one.type === "PTR" && isService(one.name) ? [one.to] : []))
  return [...new Map(instances.map((name) => [keyOf(name), name])).values()]
}

const whereIn = (answers: ReadonlyArray<Answer>, instance: Name) =>
  answers.find((one) => one.type === "SRV" && keyOf(one.name) === keyOf(instance))

/** One of IPv4 before others; those of the link alone need to be told which link, and are none. */
const addressIn = (answers: ReadonlyArray<Answer>, host: Name): string | undefined => {
  const all = answers.flatMap((one) =>
    (one.type === "A" || one.type === "AAAA") && keyOf(one.name) === keyOf(host) ? [one] : []
  )
  const usable = all.filter(({ address }) => !/^(fe[89ab]|169\.254\.)/i.test(address))
  return (usable.find(({ type }) => type === "A") ?? usable[0])?.address
}

/** What there is, and what is not known of it yet: most say all of it at once. */
export const questionsAfter = (answers: ReadonlyArray<Answer>): ReadonlyArray<Question> => [
  ...services.map((name): Question => ({ name, type: "PTR" })),
  ...instancesIn(answers).flatMap((instance): ReadonlyArray<Question> => {
    const at = whereIn(answers, instance)
    if (at?.type !== "SRV") return [{ name: instance, type: "SRV" }]
    return addressIn(answers, at.to) === undefined
      ? [
          { name: at.to, type: "A" },
          { name: at.to, type: "AAAA" }
        ]
      : []
  })
]

export const announcedIn = (answers: ReadonlyArray<Answer>): ReadonlyArray<Announced> =>
  instancesIn(answers).flatMap((instance): ReadonlyArray<Announced> => {
    const at = whereIn(answers, instance)
    if (at?.type !== "SRV") return []
    const [name] = at.to
    const address = addressIn(answers, at.to)
    if (name === undefined || address === undefined) return []
    const [label = "", service = ""] = instance
    const mac = /\[((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\]$/i.exec(label)?.[1]
    return [
      {
        name,
        address,
        ...(ofSsh.includes(service.toLowerCase()) ? { port: at.port } : {}),
        ...(mac === undefined ? {} : { mac: mac.toLowerCase() })
      }
    ]
  })
