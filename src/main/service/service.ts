/** What runs as a service, whatever looks after it: systemd (`systemd.ts`) or launchd (`launchd.ts`). */

export type Role = "queen" | "hive"
/** as this user, or for the whole machine */
export type Scope = "user" | "system"
export const scopes: ReadonlyArray<Scope> = ["user", "system"]

export interface Service {
  readonly role: Role
  readonly scope: Scope
  /** absolute paths: of Node, of the program that stays, of the `rbee` command */
  readonly node: string
  readonly program: string
  readonly cli: string
  readonly environment: Readonly<Record<string, string>>
  /** variables that are set here and would be of use to it, and have a password in them */
  readonly leftOut: ReadonlyArray<string>
  /** of a service of the machine: as whom it runs */
  readonly account: string | undefined
  /** it reaches this machine alone, and so do its workers */
  readonly isLocal: boolean
  /** where launchd writes what is said; systemd has its journal */
  readonly log: string
  /** where systemd listens for it, so that the first connection wakes it: as `ListenStream` has them; none: nowhere */
  readonly listens: ReadonlyArray<string>
}

export interface UnitFile {
  readonly file: string
  readonly text: string
}

/** The files, and what is run for a service to be there and to be gone. Each command is a program and its arguments. */
export interface Steps {
  /** the service's own is the first */
  readonly files: readonly [UnitFile, ...ReadonlyArray<UnitFile>]
  readonly install: ReadonlyArray<ReadonlyArray<string>>
  readonly uninstall: ReadonlyArray<ReadonlyArray<string>>
  /** after the file is gone */
  readonly forget: ReadonlyArray<ReadonlyArray<string>>
  readonly status: ReadonlyArray<string>
  readonly logs: (lines: number) => ReadonlyArray<string>
  /** what its owner should know besides */
  readonly notes: ReadonlyArray<string>
}

/** Where things are, and who asks. */
export interface Place {
  readonly userHome: string
  /** where a user's settings are */
  readonly configHome: string
  readonly user: string
  readonly uid: number
}

/** A unit or a plist has lines: a name with a line break in it would be another setting. */
export const hasControls = (text: string): boolean => /\p{Cc}/u.test(text)

/** The state of a service of the machine, which is its account's. */
export const systemState = "/var/lib/rbee"
