/** The floor: what node:http costs when nothing is looked at. */
import { Agent, createServer, request as ask } from "node:http"
import type { AddressInfo } from "node:net"

export const startBarePipe = (workerPort: number): Promise<number> => {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const { method, url: path, headers } = request
    const { host: _, connection: __, ...kept } = headers
    const upstream = ask({ agent, host: "127.0.0.1", port: workerPort, method, path, headers: kept }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    upstream.on("error", () => response.destroy())
    response.on("close", () => upstream.destroy())
    request.pipe(upstream)
  })
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)))
}
