/**
 * Whom the end of a worker's process is charged to: what differs is suspected first, the file on this device, then the
 * request, the device, the installation. Pure; read by the worker's chart and by its hive.
 */
import type { ErrorCode } from "../errors.ts"

/** before the native runtime was there; while the model was being loaded; while it answered */
export type Phase = "boot" | "load" | "serve"

/**
 * - `file`: it may be this file on this device, and is if it happens again;
 * - `memory`: there was not enough, a smaller shape may do;
 * - `request`: what was asked of it, if anything;
 * - `installation`: the program or its runtime is not there, or half there: of no meaning for the next start;
 * - `explained`: the worker said what it is, and trying again is in vain;
 * - `outside`: somebody ended it, which says nothing of anything here;
 * - `unclear`: all else.
 */
export type Blame = "file" | "memory" | "request" | "installation" | "explained" | "outside" | "unclear"

export interface Ending {
  readonly phase: Phase
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** what the worker itself, or its hive that gave it up, said */
  readonly code: ErrorCode | undefined
  /** the code is the engine's word on the file, not that of our own look at its header */
  readonly isEngines: boolean
  /** its hive has ended it, because it hung */
  readonly isGivenUp: boolean
  readonly lastWords: string
  /** the ledger has the memory that was booked for it, now that it is gone */
  readonly hasRoom: boolean
}

/** Loads of a file that fail in a row on a device before it is not tried there any more. */
export const fileDeathsMax = 2

/** What the last words of a kind of worker mean. */
export interface FailureWords {
  /** no memory */
  readonly memory: RegExp
  /** an error of its device that less memory would not cure */
  readonly other: RegExp
  /** it aborts without a word when its device has nothing left */
  readonly isMuteWhenFull: boolean
}

/** Node's and the dynamic loader's words for a program that is not there, or not whole */
const broken =
  /MODULE_NOT_FOUND|Cannot find (module|package)|ERR_DLOPEN|SyntaxError|ENOENT|invalid ELF header|file too short|undefined symbol|cannot open shared object/i

/** the process did it itself */
const crashes: ReadonlySet<string> = new Set(["SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"])
/** as a shell tells them: 128 and the signal's number */
const shellCodes: Readonly<Record<number, string>> = {
  129: "SIGHUP",
  130: "SIGINT",
  132: "SIGILL",
  133: "SIGTRAP",
  134: "SIGABRT",
  135: "SIGBUS",
  136: "SIGFPE",
  137: "SIGKILL",
  139: "SIGSEGV",
  143: "SIGTERM",
  159: "SIGSYS"
}

export const signalOf = ({ exitCode, signal }: Pick<Ending, "exitCode" | "signal">): string | undefined =>
  signal ?? (exitCode === undefined ? undefined : shellCodes[exitCode])

const ofCode = ({ code, isEngines }: Ending): Blame | undefined => {
  switch (code) {
    case "VRAM_EXHAUSTED":
      return "memory"
    case "BACKEND_UNAVAILABLE":
      return "installation"
    case "MODEL_INVALID":
      return isEngines ? "file" : "explained"
    case "MODEL_NOT_FOUND":
      return "explained"
    default:
      return undefined
  }
}

const ofCrash = ({ hasRoom, lastWords, phase }: Ending, signal: string, words: FailureWords): Blame => {
  if (words.memory.test(lastWords)) return "memory"
  const isMute = words.isMuteWhenFull && signal === "SIGABRT" && !words.other.test(lastWords)
  if (isMute && !hasRoom) return "memory"
  if (phase === "boot") return "installation"
  return phase === "load" ? "file" : "request"
}

/** `words`: of the kind of worker that it was. */
export const blameOf = (ending: Ending, words: FailureWords): Blame => {
  const told = ofCode(ending)
  if (told !== undefined) return told
  if (ending.isGivenUp) return "unclear"
  const signal = signalOf(ending)
  if (signal !== undefined) return crashes.has(signal) ? ofCrash(ending, signal, words) : "outside"
  return ending.phase === "boot" && broken.test(ending.lastWords) ? "installation" : "unclear"
}

/** How the bundled model did on a device; `unclear`: it could not be tried. */
export type Proof = "works" | "fails" | "unclear"

/**
 * Is a device to blame for a worker that would not start there? Its bundled model's proof tells; where there is none,
 * that different files fail on it.
 */
export const isTheDevices = (proof: Proof, filesThatFailed: number): boolean =>
  proof === "fails" || (proof === "unclear" && filesThatFailed > 1)

/** a frame of a native stack, as glibc, gdb and Node write it: pages of addresses, and the word that matters before them */
export const nativeFrame = /\[0x[0-9a-f]+\]$|^#\d+ |^\s*\d+: 0x[0-9a-f]+ /
/** frames of scripts; what a debugger says that found itself unwelcome; where a log line of ours was cut */
const noise =
  /^-----.*-----$|^\s+at |^\s*\d+: .*:\d+:\d+\)?$|^\[(New LWP|Thread debugging|Inferior)|^warning: |ptrace|^No (stack|symbol)|^The program is not|^Using host libthread|"fiberId":"#\d+"}$/
const isJson = (line: string): boolean => /^[[{].*[\]}]$/.test(line)
/** an absolute path says nothing but where somebody has built */
const shorter = (line: string): string =>
  line.replaceAll(/(?:\/[\w.@+-]+)+\/([\w.+-]+\.(?:c|cc|cpp|cu|cuh|h|hpp|m|mm):\d+)/g, "$1")

/** What a process said before its end, for people: without logs of ours, stacks and paths; the last lines of it. */
export const plainWords = (lastWords: string, maxChars = 300): string => {
  const lines = lastWords
    .split(/\r?\n/)
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !nativeFrame.test(line) && !noise.test(line) && !isJson(line.trim()))
    .map((line) => shorter(line.trim()))
  const text = lines.join("; ")
  return text.length <= maxChars ? text : `…${text.slice(1 - maxChars)}`
}
