/** Certificates that sign themselves, made by openssl. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"

/** PEM files in `folder`, which begin with `name`, of two days, for this machine; `name` is whom it is issued to. */
export const certificate = (folder: string, name: string): { readonly cert: string; readonly key: string } => {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
  const files = ["-keyout", key, "-out", cert]
  execFileSync("openssl", ["req", "-x509", ...curve, "-nodes", "-days", "2", ...files, ...subject], { stdio: "ignore" })
  return { cert, key }
}
