/** The program itself: the Node that runs it, what was built for that Node, and its settings. */
import { type Finding, ok, type Trouble, warn, wrong } from "./finding.ts"

export interface NodeFacts {
  /** "v20.20.2" */
  readonly version: string
  /** of its addons: NODE_MODULE_VERSION */
  readonly abi: string
  readonly platform: string
  readonly arch: string
}

/** package.json says the same; a test compares */
export const leastNode = { major: 20, minor: 19 }

export const nodeFinding = ({ abi, arch, platform, version }: NodeFacts): Finding => {
  const [, major = 0, minor = 0] = (/^v(\d+)\.(\d+)/.exec(version) ?? []).map(Number)
  const { major: least, minor: lesser } = leastNode
  const seen = `Node ${version} (ABI ${abi}) on ${platform} ${arch}`
  if (platform !== "linux" && platform !== "darwin")
    return wrong("node", seen, "rbee runs on Linux and macOS; on Windows in WSL")
  return major > least || (major === least && minor >= lesser)
    ? ok("node", seen)
    : wrong("node", seen, `Install Node ${least}.${lesser} or later`)
}

/** SQLite's addon, which is built for one ABI of Node; `trouble`: it could not be loaded. */
export const storeFinding = (trouble: Trouble | undefined): Finding =>
  trouble === undefined ? ok("store", "SQLite works with this Node") : wrong("store", trouble.what, trouble.todo)

export interface SettingsFacts {
  /** the config file */
  readonly file: string
  readonly isThere: boolean
  /** why they cannot be used */
  readonly trouble: Trouble | undefined
  /** variables that begin with RBEE_ and that nobody reads */
  readonly unknown: ReadonlyArray<string>
}

export const settingsFinding = ({ file, isThere, trouble, unknown }: SettingsFacts): Finding => {
  if (trouble !== undefined) return wrong("settings", trouble.what, trouble.todo)
  const from = isThere ? file : `no ${file}: defaults`
  if (unknown.length === 0) return ok("settings", from)
  const todo = "`rbee settings --help` lists those that there are"
  return warn("settings", `${from}; nobody reads ${unknown.join(", ")}`, todo)
}
