/** Who is where the daemons of this machine listen. */
import { type Finding, ok, wrong } from "./finding.ts"

export interface PortFacts {
  /** who should be there */
  readonly role: "queen" | "hive"
  readonly port: number
  /** the variable that sets it */
  readonly variable: string
  readonly found:
    | { readonly _tag: "Nobody" }
    /** systemd, which starts who should be there with the first connection */
    | { readonly _tag: "Held" }
    /** somebody listens, and said nothing, or nothing that a daemon of ours says */
    | { readonly _tag: "Silent" | "Stranger"; readonly owner: string | undefined }
    | { readonly _tag: "Daemon"; readonly role: string; readonly id: string; readonly pid: number }
  /** the id of who should be there; undefined: whoever has the role */
  readonly id: string | undefined
}

export const portFinding = ({ found, id, port, role, variable }: PortFacts): Finding => {
  const place = `port ${port} of the ${role}`
  const elsewhere = `choose another port with ${variable}`
  switch (found._tag) {
    case "Nobody":
      return ok("port", `${place} is free: the ${role} sleeps`)
    case "Held":
      return ok(
        "port",
        `${place}: systemd listens there, and the first connection wakes ${role === "queen" ? "her" : "it"}`
      )
    case "Daemon":
      return found.role === role && (id === undefined || found.id === id)
        ? ok("port", `${place}: ${role === "queen" ? "she" : "it"} runs (pid ${found.pid})`)
        : wrong("port", `${place} is taken by ${found.role} ${found.id} (pid ${found.pid})`, `End it, or ${elsewhere}`)
    case "Stranger":
      return wrong(
        "port",
        `${place} is taken by ${found.owner ?? "another program"}, which is none of rbee's`,
        `End that program, or ${elsewhere}`
      )
    case "Silent":
      return wrong(
        "port",
        `${found.owner ?? "somebody"} listens on ${place}, and says nothing`,
        `If it was stopped let it go on (kill -CONT); else end it, or ${elsewhere}`
      )
  }
}
