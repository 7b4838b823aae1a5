/**
 * The packages that a hive installs, as they were when this version was made (`runtimeVersion`): a registry, a proxy or a
 * cache that has others is not believed. Those that package-lock.json has too are compared by a test.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder } from "../../../machines/formats/json/decode.ts"

/** Subresource integrity by name of the package. */
export type Hashes = Readonly<Record<string, string>>

export const shippedHashes: Hashes = {
  "@node-llama-cpp/linux-arm64":
    "sha512-eI3anSEGzJiwF2rpMpZVTdHzw47LztbvfvuRzlu/fPO18ROnBOd+75RPUBlV6qENPpmNtbov85+3VODwEwBurg==",
  "@node-llama-cpp/linux-armv7l":
    "sha512-N/IaOXCQogfyDrlANRXbU2u+l0dbZ4BBqc3/Rv1xknHbRi/rX0rrOf5elPG8S9I5p9ebcU48HrRqk2d9O/LNHw==",
  "@node-llama-cpp/linux-riscv64":
    "sha512-tjxegcxrw4heT3LIyPjXvCu7pFaD7e4ac1z+5KhWf/iS/9SSB9poqNyPXSkPibyzhTBB8BgDY47LgfBKqiu/xQ==",
  "@node-llama-cpp/linux-x64":
    "sha512-Totj6RTDMGo3FoK2yNUaz/oGmZD0olAqTrRluFUWmu0kW2i9TOzHSW0OWCAiGkzRCVX0WsU2CyUQo/W2NYtdPA==",
  "@node-llama-cpp/linux-x64-cuda":
    "sha512-idsE55VoD/FbvLhnBC9krUJaUoC0XnebseAAnCpm/brKf61HEbu+idgbb5eN6mxkjLSrHtILprJ0nDcUJjVrFg==",
  "@node-llama-cpp/linux-x64-cuda-ext":
    "sha512-1PuURowccBcks3CCoMe1mTHh5vD0V5bFHMUEgtbI/OSDjpP+Pdbn+lf42CGUrepTzR8kCH1HovQ7d8q6/vuIKA==",
  "@node-llama-cpp/linux-x64-vulkan":
    "sha512-flEeSzONQ6OIm5bYKLQf4eEnBzcC5WugFbyPUwkCqyyOFZ8pH0H9ulQ7ZNDLSIczeKneMRJornlyY1Hq7d3GDA==",
  "@node-llama-cpp/mac-arm64-metal":
    "sha512-6MIDAZV7DXD9R1+jEXWJkFuolni3GATGE6mmuyFYc6ZmtOh9djAy15df0T0AXK3sCmVKL+fQcOAWZezxx4MvQQ==",
  "@node-llama-cpp/mac-x64":
    "sha512-Q4nyNmbcNiKygBZQZjX+qLk2w3YzoiFpLWsxNURQN7xjyUi2p2rWxjRa7Otg0FrjGf/ri4aQ+X3Uj5Y0zD06eg=="
}

/** A lock file that has npm take these packages alone, and refuse what has another hash. */
export const lockOf = (names: ReadonlyArray<string>, version: string, hashes: Hashes): string => {
  const dependencies = Object.fromEntries(names.map((name) => [name, version]))
  const locked = names.map((name) => [`node_modules/${name}`, { version, integrity: hashes[name] }] as const)
  return JSON.stringify({ lockfileVersion: 3, packages: { "": { dependencies }, ...Object.fromEntries(locked) } })
}

const decode = decoder(
  Schema.parseJson(
    Schema.Struct({
      packages: Schema.Record({
        key: Schema.String,
        value: Schema.Struct({ integrity: Schema.optional(Schema.String) })
      })
    })
  )
)

/** Those whose hash, by what npm wrote of what it unpacked in `folder`, is not ours. */
export const mismatched = (folder: string, names: ReadonlyArray<string>, hashes: Hashes): ReadonlyArray<string> => {
  const written = decode(readFileSync(join(folder, "node_modules", ".package-lock.json"), "utf8"))
  const found = Either.isRight(written) ? written.right.packages : {}
  return names.filter((name) => hashes[name] === undefined || found[`node_modules/${name}`]?.integrity !== hashes[name])
}
