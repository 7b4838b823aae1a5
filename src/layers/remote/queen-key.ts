import { hostname } from "node:os"
import type { Settings } from "../settings/index.ts"

/** Names this queen, so that the sockets of two queens that use one machine are two. */
export const queenKey = ({ home, queen }: Settings): string => `${hostname()}:${home.state}:${queen.port}`
