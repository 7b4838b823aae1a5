/** What is no request, as Node's parser sees it: answered like everything else, where Node alone would say a bare line. */
import { STATUS_CODES, type Server } from "node:http"
import type { Duplex } from "node:stream"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { encodeError } from "../../../../protocol/surfaces/rbee.ts"
import { errorStatus } from "../../../../protocol/wire/error.ts"

const errorOf = (code: string): RbeeError => {
  if (code === "HPE_HEADER_OVERFLOW")
    return rbeeError("INVALID_REQUEST", "the head of the request is over 16 KiB", "Shorten it", { status: 431 })
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return rbeeError("DEADLINE_EXCEEDED", "the request did not come in time", "Send it faster", { status: 408 })
  return rbeeError("INVALID_REQUEST", "this is no HTTP request")
}

const answer = (socket: Duplex, error: RbeeError): void => {
  const body = encodeError(error, undefined)
  const status = errorStatus(error)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close"
  ]
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`)
}

/** `isAnswering`: something of an answer may be on its way there. */
export const answerStrays = (server: Server, isAnswering: (socket: Duplex) => boolean): void => {
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === "ECONNRESET" || isAnswering(socket)) return void socket.destroy()
    answer(socket, errorOf(error.code ?? ""))
  })
  server.on("connect", (_request, socket) => {
    socket.on("error", () => {})
    answer(socket, rbeeError("METHOD_NOT_ALLOWED", "this is no proxy"))
  })
}
