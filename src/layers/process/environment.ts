/**
 * What children get of our environment: a list of what they need, never all of it. A model file, a driver and a package
 * are other people's code or data: what they could read of us are the user's keys for hubs, clouds and machines.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { userHome } from "../paths/user-home.ts"

export type Env = Readonly<Record<string, string | undefined>>

/** Who and where a process is: nothing works without. `RBEE_HOME` tells whose it is to who looks at the machine. */
const plain =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TZDIR|TMPDIR|TMP|TEMP|XDG_(CACHE|CONFIG|DATA)_(HOME|DIRS)|RBEE_HOME)$/

/** What loaders, drivers and llama.cpp's backends are told by. */
const native =
  /^(LD_LIBRARY_PATH|LD_PRELOAD|DYLD_[A-Z_]+|LIBGL_[A-Z_]+|DRI_PRIME|GGML_\w+|CUDA_\w+|NVIDIA_(VISIBLE_DEVICES|DRIVER_CAPABILITIES|TF32_OVERRIDE)|VK_\w+|MESA_\w+|RADV_\w+|ANV_\w+|AMD_VULKAN_ICD|HSA_\w+|HIP_\w+|ROCR_\w+|GPU_\w+|OMP_\w+|GOMP_\w+|KMP_\w+)$/

/** How the network is reached from here, whose certificates count, and what a package needs that is compiled. */
const network =
  /^((https?|all|no)_proxy|NODE_EXTRA_CA_CERTS|NODE_USE_SYSTEM_CA|NODE_USE_ENV_PROXY|NODE_OPTIONS|SSL_CERT_(FILE|DIR)|LD_LIBRARY_PATH)$/i
const compiler = /^(CC|CXX|AR|LD|(C|CXX|CPP|LD)FLAGS|MAKEFLAGS|PYTHON|PKG_CONFIG_PATH|SDKROOT)$/

/**
 * What npm's own scripts hand down (`npx rbee`) and what would have it install something else, or elsewhere, than it is
 * asked for here.
 */
const npmsOwn =
  /^npm_config_(global|location|prefix|(global|local)_prefix|dry_run|omit|only|production|workspaces?|user_agent|npm_version|node_gyp|init_\w+)$/i

/** A variable of a family of names may still be somebody's key: `GPU_CLOUD_TOKEN`. */
const secret = /KEY|TOKEN|SECRET|PASS|AUTH|CREDENTIAL/i

const chosen = (env: Env, wanted: (name: string) => boolean): Record<string, string> => {
  const some: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) if (value !== undefined && wanted(name)) some[name] = value
  return some
}

/** Of workers, trials and whoever else loads llama.cpp or a driver. */
export const nativeEnvironment = (env: Env): Record<string, string> =>
  chosen(env, (name) => plain.test(name) || (native.test(name) && !secret.test(name)))

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** The variables that npm's configuration refers to, as in `//registry/:_authToken=${NPM_TOKEN}`. */
const namedIn = (env: Env): ReadonlySet<string> => {
  const config = (name: string) => env[`npm_config_${name}`] ?? env[`NPM_CONFIG_${name.toUpperCase()}`]
  const home = userHome(env) ?? "/"
  const files = [
    config("userconfig") ?? join(home, ".npmrc"),
    config("globalconfig") ?? join(process.execPath, "../../etc/npmrc")
  ]
  const names = files.flatMap((file) => [...textOf(file).matchAll(/\$\{(\w+)[?]?\}/g)].map(([, name = ""]) => name))
  return new Set(names)
}

/** Of npm: the way to its registry, its settings, and the secrets that the user's own `.npmrc` names. */
export const npmEnvironment = (env: Env): Record<string, string> => {
  const named = namedIn(env)
  return chosen(
    env,
    (name) =>
      plain.test(name) ||
      network.test(name) ||
      compiler.test(name) ||
      named.has(name) ||
      (/^npm_config_/i.test(name) && !npmsOwn.test(name))
  )
}

/** Of the system's own small tools: their words in English, and nothing of ours. */
export const toolEnvironment = (env: Env = process.env): Record<string, string> => ({
  ...chosen(env, (name) => name === "PATH"),
  LC_ALL: "C",
  TZ: "UTC"
})
