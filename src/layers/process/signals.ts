/** Signals to processes and groups that may be gone already. */

/** Real time: processes do not live in virtual time. */
export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

/** `false`: nobody there, or not ours. */
const send = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** To every process of the group that `leader` leads. */
export const signalGroup = (leader: number, signal: NodeJS.Signals): boolean => send(-leader, signal)

export const signalProcess = (pid: number, signal: NodeJS.Signals): boolean => send(pid, signal)

/** True once `gone` holds, asked again and again for at most `ms`. */
export const waitUntil = async (gone: () => boolean, ms: number): Promise<boolean> => {
  const until = performance.now() + ms
  for (let pause = 2; !gone(); pause = Math.min(pause * 2, 50)) {
    if (performance.now() >= until) return false
    await sleep(Math.min(pause, Math.max(1, until - performance.now())))
  }
  return true
}
