/**
 * How a browser shows the cluster's token, which it must not know: whoever has the token asks for a ticket, the browser
 * trades it once for a cookie that only this daemon's own pages send (HttpOnly, SameSite=Strict). Tickets are kept in memory.
 * A session says itself until when it is good, signed by what is made of the token: so a page that is open holds its rights
 * at the queen after her, and all of them end with the token.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"

export const ticketMs = 60_000
export const sessionMs = 12 * 3_600_000
/** tickets; the oldest are forgotten */
const most = 64

const cookieName = "rbee_inspector"

export class BrowserSessions {
  private readonly tickets = new Map<string, number>()
  private readonly key: Buffer
  private readonly now: () => number

  /** `token`: the cluster's; absent: sessions end with the daemon. */
  constructor(token: string | undefined = undefined, now: () => number = Date.now) {
    this.key = token === undefined ? randomBytes(32) : signed(token, "a browser's sessions")
    this.now = now
  }

  /** Good for one trade within a minute. */
  ticket(): string {
    const value = drawn()
    this.tickets.set(value, this.now() + ticketMs)
    for (const old of this.tickets.keys()) {
      if (this.tickets.size <= most) break
      this.tickets.delete(old)
    }
    return value
  }

  /** The `Set-Cookie` for a ticket; undefined: it is none, it is used, or too old. */
  redeem(ticket: string): string | undefined {
    const until = this.tickets.get(ticket)
    this.tickets.delete(ticket)
    if (until === undefined || until < this.now()) return undefined
    const session = `${this.now() + sessionMs}.${drawn()}`
    const cookie = `${cookieName}=${session}.${signed(this.key, session).toString("base64url")}`
    return `${cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${sessionMs / 1000}`
  }

  /** Is there a living session among these cookies (the header as it came)? */
  admits(cookies: string | undefined): boolean {
    if (cookies === undefined) return false
    return cookies.split(";").some((cookie) => {
      const [, until, drawing, signature] = form.exec(cookie.trim()) ?? []
      if (until === undefined || drawing === undefined || signature === undefined) return false
      const own = signed(this.key, `${until}.${drawing}`)
      const shown = Buffer.from(signature, "base64url")
      return shown.length === own.length && timingSafeEqual(shown, own) && Number(until) > this.now()
    })
  }
}

const form = new RegExp(`^${cookieName}=(\\d{1,16})\\.([\\w-]{43})\\.([\\w-]{43})$`)

const signed = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()

/** 256 random bits: to look one up by its value tells nothing that could be guessed by time. */
const drawn = (): string => randomBytes(32).toString("base64url")
