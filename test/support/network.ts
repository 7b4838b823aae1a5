/** This machine as others see it. */
import { networkInterfaces } from "node:os"

/** An IPv4 address of it that is not loopback; undefined where it has none. */
export const [ownAddress] = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .filter(({ family, internal }) => family === "IPv4" && !internal)
  .map((one) => one.address)
