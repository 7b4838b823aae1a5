/** Sockets that systemd listens on for this program, and hands over with the first connection: sd_listen_fds(3). */
type Environment = Record<string, string | undefined>

const first = 3
const variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] as const

/** Their descriptors, in the order of the unit; none where they are another process's. No child is told of them. */
export const handedSockets = (env: Environment, pid: number): ReadonlyArray<number> => {
  const { LISTEN_FDS: count = "", LISTEN_PID: whose } = env
  for (const name of variables) delete env[name]
  if (whose !== String(pid) || !/^[1-9]\d{0,2}$/.test(count)) return []
  return Array.from({ length: Number(count) }, (_, i) => first + i)
}
