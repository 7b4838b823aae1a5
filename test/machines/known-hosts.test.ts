import { createHmac } from "node:crypto"
import { assert, describe, it } from "vitest"
import {
  judgeHostKey,
  knownTypes,
  lookupName,
  matchesHost,
  parseKnownHosts
} from "../../src/machines/formats/known-hosts.ts"

const hash = (salt: string, text: string) =>
  createHmac("sha1", Buffer.from(salt, "base64")).update(text).digest("base64")
const salt = Buffer.from("0123456789abcdef0123").toString("base64")
const hashed = (name: string) => `|1|${salt}|${hash(salt, name)}`
const ed = { type: "ssh-ed25519", key: "AAAA1" }
const rsa = { type: "ssh-rsa", key: "AAAA2" }
const judge = (text: string, name: string, shown = ed) => judgeHostKey(parseKnownHosts(text), name, shown, hash).kind

describe("known hosts", () => {
  it("match by name, by one of several names, and by a hashed name", () => {
    assert.strictEqual(judge("box ssh-ed25519 AAAA1", "box"), "known")
    assert.strictEqual(judge("box  ssh-ed25519\t \tAAAA1", "box"), "known")
    assert.strictEqual(judge("other,box,10.0.0.7 ssh-ed25519 AAAA1 a comment", "10.0.0.7"), "known")
    assert.strictEqual(judge(`${hashed("box")} ssh-ed25519 AAAA1`, "box"), "known")
    assert.strictEqual(judge(`${hashed("box")} ssh-ed25519 AAAA1`, "bax"), "unknown")
  })

  it("are looked up with their port where that is not 22", () => {
    assert.strictEqual(lookupName("Box", 22), "box")
    assert.strictEqual(lookupName("Box", 2222), "[box]:2222")
    assert.strictEqual(judge("box ssh-ed25519 AAAA1", lookupName("box", 2222)), "unknown")
    assert.strictEqual(judge("[box]:2222 ssh-ed25519 AAAA1", lookupName("box", 2222)), "known")
    assert.strictEqual(judge(`${hashed("[box]:2222")} ssh-ed25519 AAAA1`, lookupName("box", 2222)), "known")
  })

  it("match by patterns, unless one of the line says no", () => {
    const line = "*.lan,!bad.lan,10.0.?.1 ssh-ed25519 AAAA1"
    assert.strictEqual(judge(line, "good.lan"), "known")
    assert.strictEqual(judge(line, "bad.lan"), "unknown")
    assert.strictEqual(judge(line, "10.0.7.1"), "known")
    assert.strictEqual(judge(line, "10.0.77.1"), "unknown")
    assert.isFalse(matchesHost({ names: "a.b" }, "axb", hash), "a dot is a dot")
    assert.isFalse(matchesHost({ names: "!box" }, "box", hash))
  })

  it("call another key of the same type changed", () => {
    assert.strictEqual(judge("box ssh-ed25519 AAAA9", "box"), "changed")
    assert.strictEqual(judge("box ssh-rsa AAAA1", "box"), "changed", "the same bits as another type")
  })

  it("call a key of a type that was never seen changed where others are known: an impostor would show one", () => {
    assert.strictEqual(judge("box ssh-rsa AAAA2", "box"), "changed")
    assert.strictEqual(judge("box ssh-rsa AAAA2\nbox ssh-ed25519 AAAA1", "box"), "known")
    assert.strictEqual(judge("box ssh-rsa AAAA2\nbox ssh-ed25519 AAAA1", "box", rsa), "known")
  })

  it("name the key types that are known, to be asked for first", () => {
    const hosts = parseKnownHosts("box ssh-rsa AAAA2\nbox ssh-rsa AAAA3\n@revoked box ssh-ed25519 AAAA1\nelse ecdsa A")
    assert.deepEqual(knownTypes(hosts, "box", hash), ["ssh-rsa"])
  })

  it("refuse a revoked key, also where the same key is known", () => {
    assert.strictEqual(judge("@revoked * ssh-ed25519 AAAA1\nbox ssh-ed25519 AAAA1", "box"), "revoked")
    assert.strictEqual(judge("@revoked * ssh-ed25519 AAAA9\nbox ssh-ed25519 AAAA1", "box"), "known")
  })

  it("do not take an authority's key for the host's own", () => {
    const verdict = judgeHostKey(parseKnownHosts("@cert-authority *.lan ssh-ed25519 AAAA1"), "a.lan", ed, hash)
    assert.deepEqual(verdict, { kind: "unknown", authority: true })
  })

  it("pass over comments, blank lines, unknown markers and half lines", () => {
    assert.deepEqual(parseKnownHosts("# box ssh-ed25519 AAAA1\n\n@new box ssh-ed25519 AAAA1\nbox ssh-ed25519\n"), [])
  })
})
