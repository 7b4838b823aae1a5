/** Queen or hive as a service of the machine. */
import { lazily } from "../lazily.ts"
import { lines } from "./shared.ts"
import { declare, flag, text, type Values, type Words } from "../spec.ts"

const service = () => import("../../service/command.ts")
const serviceRole: Words = { name: "ROLE", doc: "queen or hive; the queen by default", min: 0, max: 1 }
const ofService = {
  user: flag("user", "of this user; the default"),
  system: flag("system", "of the machine, as root"),
  account: text("account", "USER", "with --system: as whom it runs; who called sudo by default"),
  local: flag("local", "let it reach this machine alone; a hive downloads nothing then")
}
const askedService = (
  { account, local, system, user }: Values<typeof ofService>,
  [role]: ReadonlyArray<string>
): {
  readonly role: string | undefined
  readonly system: boolean
  readonly local: boolean
  readonly account: string | undefined
} => ({
  role,
  system: system && !user,
  account,
  local
})
const serviceInstall = declare({
  path: ["service", "install"],
  summary: "have the queen, or a hive that joins one, start at boot and again when it fails",
  examples: [
    "rbee service install",
    "sudo rbee service install --system --account rbee",
    "rbee service install --print"
  ],
  words: serviceRole,
  flags: { ...ofService, print: flag("print", "write the unit to stdout, and change nothing") },
  run: (values, words, context) =>
    lazily(service, (module) => module.install(askedService(values, words), values.print, context))
})
const serviceStatus = declare({
  path: ["service", "status"],
  summary: "is it a service, and does it run? exit code 3 when not",
  examples: ["rbee service status"],
  words: serviceRole,
  flags: ofService,
  run: (values, words, context) => lazily(service, (module) => module.status(askedService(values, words), context))
})
const serviceLogs = declare({
  path: ["service", "logs"],
  summary: "show what it has said",
  examples: ["rbee service logs -n 50"],
  words: serviceRole,
  flags: { ...ofService, lines },
  run: (values, words, context) =>
    lazily(service, (module) => module.logs(askedService(values, words), values.lines ?? 100, context))
})
const serviceUninstall = declare({
  path: ["service", "uninstall"],
  summary: "end it, and have it start no more",
  examples: ["rbee service uninstall"],
  words: serviceRole,
  flags: ofService,
  run: (values, words, context) => lazily(service, (module) => module.uninstall(askedService(values, words), context))
})

export const serviceCommands = [serviceInstall, serviceStatus, serviceLogs, serviceUninstall]
