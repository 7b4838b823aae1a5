/** docs/security.md names a test behind each line that is held. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import { knobs, variableOf } from "../../src/main/config/knobs.ts"

const page = readFileSync("docs/security.md", "utf8")

it("names only tests that are there", () => {
  const named = [...page.matchAll(/`(test\/[^`]+)`/g)].map(([, file]) => file ?? "")
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((file) => !existsSync(file))).toEqual([])
})

it("has a test, or the reason why there is none, behind each line of its tables", () => {
  const rows = page
    .split("\n")
    .filter((line) => /^\| (?!who|anybody|the |a )/.test(line) && line.split("|").length === 4)
  const bare = rows.filter((row) => !/`test\/|`npm run fuzz`|none|by construction|\| Test \|/.test(row))
  expect(bare).toEqual([])
})

const unit = /```ini\n([\s\S]*?)```/.exec(page)?.[1] ?? ""

it("has a unit of systemd by which a hive and its workers reach this machine alone", () => {
  expect(unit.split("\n")).toEqual(
    expect.arrayContaining(["IPAddressDeny=any", "IPAddressAllow=localhost", "NoNewPrivileges=yes"])
  )
  const named = [...unit.matchAll(/\b(RBEE_[A-Z_]+)=/g)].map(([, name]) => name)
  const known = new Set([...knobs.map(variableOf), "RBEE_HOME", "RBEE_HIVE_INVITE_FILE"])
  expect(named.filter((name) => !known.has(name ?? ""))).toEqual([])
})

const verifies = spawnSync("systemd-analyze", ["--version"]).status === 0

it.skipIf(!verifies)("has no line in it that systemd does not understand", () => {
  const file = join(mkdtempSync(join(tmpdir(), "rbee-unit-")), "rbee-hive.service")
  // who runs it, and what, is not here
  writeFileSync(file, unit.replace(/^ExecStart=.*/m, "ExecStart=/bin/true").replace(/^User=.*\n/m, ""))
  const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" })
  expect(stderr.split("\n").filter((line) => line.includes("rbee-hive.service"))).toEqual([])
})
