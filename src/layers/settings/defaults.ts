/** What is set where nobody says otherwise. */
import type { Settings } from "./index.ts"
import { localHive } from "../../machines/vocabulary/ids.ts"

export const defaults: Omit<Settings, "home" | "version"> = {
  queen: {
    host: "127.0.0.1",
    port: 8500,
    ollamaPort: undefined,
    origins: [],
    hosts: [],
    idleMs: 30 * 60_000,
    queueMax: 512,
    capabilitiesMs: 24 * 60 * 60_000,
    retentionMs: 7 * 24 * 60 * 60_000,
    retentionJobs: 1000,
    sshConfig: undefined,
    requireToken: undefined,
    tlsCert: undefined,
    tlsKey: undefined
  },
  hive: {
    id: localHive,
    host: "127.0.0.1",
    port: 8600,
    idleMs: 30 * 60_000,
    idleColdMs: 60_000,
    heartbeatMs: 1000,
    lateMs: 3000,
    lostMs: 10_000,
    downloads: 2,
    gpus: [],
    vulkan: "auto",
    suspendCommand: ["systemctl", "suspend"],
    queen: undefined
  },
  worker: {
    portBase: 8601,
    slots: 4,
    context: undefined,
    kvType: "f16",
    threads: undefined,
    maxTokensPerS: undefined,
    idleMs: 5 * 60_000,
    parkMb: 2000,
    exact: "auto",
    sharePrefix: false
  },
  token: undefined,
  shutdown: { drainMs: 25_000, workersMs: 30_000, hivesMs: 33_000 }
}
