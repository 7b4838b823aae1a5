/** What children get of our environment: what they need, and none of the user's keys. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { nativeEnvironment, npmEnvironment, toolEnvironment } from "../../../src/layers/process/environment.ts"

const secrets = {
  HF_TOKEN: "x",
  HUGGING_FACE_HUB_TOKEN: "x",
  AWS_ACCESS_KEY_ID: "x",
  AWS_SECRET_ACCESS_KEY: "x",
  GITHUB_TOKEN: "x",
  OPENAI_API_KEY: "x",
  NVIDIA_API_KEY: "x",
  LLAMA_API_KEY: "x",
  GPU_CLOUD_TOKEN: "x",
  CUDA_PASSWORD: "x",
  KUBECONFIG: "x",
  SSH_AUTH_SOCK: "x",
  DBUS_SESSION_BUS_ADDRESS: "x",
  RBEE_TOKEN: "x",
  RBEE_TOKEN_FILE: "x",
  DATABASE_URL: "x"
}
const ordinary = {
  PATH: "/bin",
  HOME: "/home/bee",
  LANG: "C.UTF-8",
  LC_ALL: "C",
  TZ: "UTC",
  RBEE_HOME: "/home/bee/.rbee"
}
const drivers = {
  LD_LIBRARY_PATH: "/opt/cuda/lib64",
  CUDA_VISIBLE_DEVICES: "0",
  NVIDIA_VISIBLE_DEVICES: "all",
  VK_ICD_FILENAMES: "/x.json",
  GGML_VK_VISIBLE_DEVICES: "1",
  HSA_OVERRIDE_GFX_VERSION: "10.3.0",
  XDG_DATA_DIRS: "/usr/share"
}
const ways = {
  HTTPS_PROXY: "http://user:password@proxy",
  no_proxy: "localhost",
  NODE_EXTRA_CA_CERTS: "/ca.pem",
  SSL_CERT_FILE: "/ca.pem",
  npm_config_registry: "https://registry.example/",
  NPM_CONFIG_CAFILE: "/ca.pem"
}

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})
const homeWith = (npmrc: string): string => {
  const home = mkdtempSync(join(tmpdir(), "rbee-npmrc-"))
  folders.push(home)
  writeFileSync(join(home, ".npmrc"), npmrc)
  return home
}

describe("the environment", () => {
  it("of who loads llama.cpp has what loaders and drivers are told by, and nothing else", () => {
    expect(nativeEnvironment({ ...secrets, ...ways, ...ordinary, ...drivers, absent: undefined })).toEqual({
      ...ordinary,
      ...drivers
    })
  })

  it("of npm has the way to its registry and npm's settings, and nothing else", () => {
    const { LD_LIBRARY_PATH, XDG_DATA_DIRS } = drivers
    expect(npmEnvironment({ ...secrets, ...ways, ...ordinary, ...drivers, HOME: "/nowhere" })).toEqual({
      ...ways,
      ...ordinary,
      HOME: "/nowhere",
      LD_LIBRARY_PATH,
      XDG_DATA_DIRS
    })
  })

  it("of npm has the secrets that the user's own configuration names", () => {
    const home = homeWith("//registry.example/:_authToken=${NPM_TOKEN}\n@bee:registry=https://${BEE_HOST?}/\n")
    const some = { NPM_TOKEN: "t", BEE_HOST: "h", OTHER: "o" }
    expect(npmEnvironment({ HOME: home, ...some })).toEqual({ HOME: home, NPM_TOKEN: "t", BEE_HOST: "h" })
    const config = { npm_config_userconfig: join(home, ".npmrc") }
    expect(npmEnvironment({ HOME: "/nowhere", ...config, ...some })).toHaveProperty("NPM_TOKEN", "t")
  })

  it("of npm has not what an npm above us would have it do otherwise", () => {
    const above = {
      npm_config_global: "true",
      npm_config_prefix: "/usr",
      npm_config_dry_run: "true",
      npm_package_name: "x"
    }
    expect(npmEnvironment({ HOME: "/nowhere", ...above })).toEqual({ HOME: "/nowhere" })
  })

  it("of the system's tools has a path and a language", () => {
    expect(toolEnvironment({ ...secrets, ...ways, ...ordinary })).toEqual({ PATH: "/bin", LC_ALL: "C", TZ: "UTC" })
  })
})
