import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { farUrl, reachedLike, readFarUrl, SshPlace } from "../../src/machines/vocabulary/place.ts"
import { HiveId } from "../../src/machines/vocabulary/ids.ts"

const accepted = (change: object) => Schema.is(SshPlace)({ host: "gpu-box", hive_port: 8600, ...change })

describe("the place of a remote hive", () => {
  it("takes names, addresses and paths", () => {
    for (const host of ["gpu-box", "10.0.0.7", "fe80::1%eth0", "box_2.lan"]) assert.isTrue(accepted({ host }), host)
    assert.isTrue(accepted({ user: "me", port: 2222, identity: "/home/me/.ssh/id", node: "/opt/node 20/bin/node" }))
  })

  it("takes nothing that ssh or a shell could read otherwise", () => {
    for (const host of ["-oProxyCommand=x", "a b", "a;b", "$(id)", "`id`", "", "a\nb", "a/b", "'", "a@b"])
      assert.isFalse(accepted({ host }), host)
    for (const user of ["-l", "a b", "$(id)", "a;b", "a\nb", ""]) assert.isFalse(accepted({ user }), user)
    for (const node of ["node", "../node", "/a\nb", "/a\0b"]) assert.isFalse(accepted({ node }), node)
    for (const port of [0, 65_536, 1.5, "22"]) assert.isFalse(accepted({ port }), String(port))
  })

  it("is where its hive and whatever runs beside it is reached, through one tunnel", () => {
    const hive = farUrl({ hive: HiveId.make("gpu-box"), port: 8600 })
    assert.deepEqual(readFarUrl(hive), { hive: HiveId.make("gpu-box"), port: 8600 })
    assert.strictEqual(reachedLike(hive, "http://127.0.0.1:8601"), farUrl({ hive: HiveId.make("gpu-box"), port: 8601 }))
    assert.strictEqual(reachedLike("http://127.0.0.1:8600", "http://127.0.0.1:8601"), "http://127.0.0.1:8601")
    assert.strictEqual(reachedLike(undefined, "in-process://worker"), "in-process://worker")
    assert.isUndefined(readFarUrl("http://gpu-box:8600"))
  })

  it("is reached at an address of the network without one, and so is what runs beside its hive", () => {
    for (const address of ["10.0.0.7", "[fd00::7]"]) {
      const far = { hive: HiveId.make("gpu-box"), address, port: 8600 }
      assert.deepEqual(readFarUrl(farUrl(far)), far)
      assert.strictEqual(reachedLike(farUrl(far), `http://${address}:8601`), farUrl({ ...far, port: 8601 }))
    }
    for (const url of [
      "http+direct://gpu-box:8600",
      "http+direct://gpu-box@evil.example:8600",
      "http+ssh://a@10.0.0.7:1"
    ])
      assert.isUndefined(readFarUrl(url), url)
  })
})
