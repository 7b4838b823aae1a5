/**
 * How a browser shows the cluster's token, which it must not know: whoever has the token asks for a ticket, the browser
 * trades it once for a cookie that only this daemon's own pages send (HttpOnly, SameSite=Strict). Kept in memory: they
 * end with the daemon.
 */
import { randomBytes } from "node:crypto"

export const ticketMs = 60_000
export const sessionMs = 12 * 3_600_000
/** of each kind; the oldest are forgotten */
const most = 64

const cookieName = "rbee_inspector"

export class BrowserSessions {
  private readonly tickets = new Map<string, number>()
  private readonly sessions = new Map<string, number>()
  private readonly now: () => number

  constructor(now: () => number = Date.now) {
    this.now = now
  }

  /** Good for one trade within a minute. */
  ticket(): string {
    return issue(this.tickets, this.now() + ticketMs)
  }

  /** The `Set-Cookie` for a ticket; undefined: it is none, it is used, or too old. */
  redeem(ticket: string): string | undefined {
    const until = this.tickets.get(ticket)
    this.tickets.delete(ticket)
    if (until === undefined || until < this.now()) return undefined
    const session = issue(this.sessions, this.now() + sessionMs)
    return `${cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${sessionMs / 1000}`
  }

  /** Is there a living session among these cookies (the header as it came)? */
  admits(cookies: string | undefined): boolean {
    if (cookies === undefined) return false
    return cookies.split(";").some((cookie) => {
      const [name, value] = cookie.trim().split("=", 2)
      return name === cookieName && value !== undefined && (this.sessions.get(value) ?? 0) > this.now()
    })
  }
}

/** 256 random bits: to look one up by its value tells nothing that could be guessed by time. */
const issue = (kept: Map<string, number>, until: number): string => {
  const value = randomBytes(32).toString("base64url")
  kept.set(value, until)
  for (const old of kept.keys()) {
    if (kept.size <= most) break
    kept.delete(old)
  }
  return value
}
