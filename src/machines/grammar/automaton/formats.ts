/** The formats of texts that are served, as patterns. */
const date = [
  "(\\d{4}-(0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])",
  "\\d{4}-(0[469]|11)-(0[1-9]|[12]\\d|30)",
  "\\d{4}-02-(0[1-9]|1\\d|2[0-8])",
  "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
].join("|")
const clock = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?"
const zone = "(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"

const byte = "(\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])"
const ipv4 = `(${byte}\\.){3}${byte}`

const group = "[\\da-fA-F]{1,4}"
/** All eight groups, or two colons for those that are left out. */
const ipv6 = [
  `(${group}:){7}${group}`,
  ...Array.from({ length: 7 }, (_, before) =>
    before === 0 ? `:(:${group}){1,7}` : `(${group}:){${before}}(:${group}){1,${7 - before}}`
  ),
  `(${group}:){7}:`,
  ...Array.from({ length: 6 }, (_, before) => `(${group}:){${before + 1}}:`),
  "::"
].join("|")

const atom = "[\\w!#$%&'*+/=?^`{|}~\\-]{1,16}"
const label = "[a-zA-Z\\d]([a-zA-Z\\d\\-]{0,30}[a-zA-Z\\d])?"
const hostname = `${label}(\\.${label}){0,6}`
const email = `${atom}(\\.${atom}){0,3}@(${label}\\.){1,4}[a-zA-Z]{2,24}`

const inUri = "([\\w\\-.~!$&'()*+,;=:@]|%[\\da-fA-F]{2})"
const uri = [
  `[a-zA-Z][a-zA-Z\\d+\\-.]{0,15}://`,
  `((${label}(\\.${label}){0,6})?(:\\d{1,5})?)`,
  `(/${inUri}*)*(\\?(${inUri}|[/?])*)?(#(${inUri}|[/?])*)?`
].join("")

const duration = [
  "P(\\d{1,9}W|(\\d{1,9}Y(\\d{1,9}M(\\d{1,9}D)?)?|\\d{1,9}M(\\d{1,9}D)?|\\d{1,9}D)",
  "(T(\\d{1,9}H(\\d{1,9}M(\\d{1,9}S)?)?|\\d{1,9}M(\\d{1,9}S)?|\\d{1,9}S))?",
  "|T(\\d{1,9}H(\\d{1,9}M(\\d{1,9}S)?)?|\\d{1,9}M(\\d{1,9}S)?|\\d{1,9}S))"
].join("")

const patterns: Readonly<Record<string, string>> = {
  date,
  time: `${clock}${zone}`,
  "date-time": `(${date})T${clock}${zone}`,
  duration,
  uuid: "[\\da-fA-F]{8}-([\\da-fA-F]{4}-){3}[\\da-fA-F]{12}",
  ipv4,
  ipv6,
  email,
  hostname,
  uri
}

export const formats: ReadonlyArray<string> = Object.keys(patterns)

export const patternOfFormat = (format: string): string | undefined =>
  Object.hasOwn(patterns, format) ? `^(${patterns[format] ?? ""})$` : undefined
