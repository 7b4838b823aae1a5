/** This machine's places in its networks. */
import { networkInterfaces } from "node:os"

const all = () => Object.values(networkInterfaces()).flatMap((each) => each ?? [])

/** Of IPv4, loopback left out. */
export const ownIPv4 = () => all().filter(({ family, internal }) => family === "IPv4" && !internal)

export const ownAddresses = (): ReadonlyArray<string> => all().map(({ address }) => address)
