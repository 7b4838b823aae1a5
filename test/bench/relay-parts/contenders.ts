/**
 * Starts the worker and everything that stands between it and a client, each in a process of its own: the queen and the
 * hive are the real daemons, with everything that they do in production; the scripted worker is started by that hive
 * and stands behind the peers too.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { startBarePipe } from "./bare-pipe.ts"
import type { Route } from "./client.ts"
import { type Machine, makeMachine } from "../../support/machine.ts"

const token = "a-token-of-this-benchmark"

const [, , role = "", ...rest] = process.argv
const roles: Readonly<Record<string, () => Promise<number>>> = {
  "role:pipe": () => startBarePipe(Number(rest[0]))
}

/** Called by a benchmark's bundle when it is started as one of its own children; true if it was. */
export const playRole = async (): Promise<boolean> => {
  const start = roles[role]
  if (start === undefined) return false
  process.stdout.write(`${await start()}\n`)
  // ends with the benchmark
  process.stdin.resume().on("end", () => process.exit(0))
  return true
}

export interface Contender {
  readonly name: string
  readonly route: Route
  readonly pid: number
}

export interface Stage {
  readonly direct: Route
  readonly native: Route
  /** ours on /v1, the pipe, then what else is there */
  readonly peers: ReadonlyArray<Contender>
  /** ours on /jobs, and the pipe with the worker's own frames */
  readonly jobs: Contender
  readonly jobsPipe: Contender
  /** what is not there, and why */
  readonly absent: ReadonlyArray<string>
  readonly close: () => Promise<void>
}

export const openStage = async (bundle: string): Promise<Stage> => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-relay-"))
  const children: Array<ChildProcess> = []
  const child = async (...args: ReadonlyArray<string>) => {
    const started = spawn(process.execPath, [bundle, ...args], { stdio: ["pipe", "pipe", "inherit"] })
    children.push(started)
    for await (const line of createInterface({ input: started.stdout }))
      return [Number(line), started.pid ?? 0] as const
    throw new Error(`${args[0]} did not start`)
  }
  const cluster = await openCluster()
  const { queenPid, queenPort, workerPort } = cluster
  const [pipePort, pipePid] = await child("role:pipe", String(workerPort))
  const path = "/v1/chat/completions"
  const peers: Array<Contender> = [
    { name: "rbee /v1", pid: queenPid, route: { port: queenPort, path, headers: cluster.headers } },
    { name: "bare pipe", pid: pipePid, route: { port: pipePort, path } }
  ]
  const absent: Array<string> = []

  const nginx = await startNginx(folder, workerPort)
  if (typeof nginx === "string") absent.push(nginx)
  else {
    children.push(nginx.child)
    peers.push({ name: "nginx", pid: nginx.pid, route: { port: nginx.port, path } })
  }
  const portkey = await startPortkey()
  if (typeof portkey === "string") absent.push(portkey)
  else {
    children.push(portkey.child)
    const headers = {
      authorization: "Bearer unused",
      "x-portkey-provider": "openai",
      "x-portkey-custom-host": `http://127.0.0.1:${workerPort}/v1`
    }
    peers.push({ name: "Portkey", pid: portkey.child.pid ?? 0, route: { port: portkey.port, path, headers } })
  }
  return {
    direct: { port: workerPort, path },
    native: { port: workerPort, path: "/native" },
    peers,
    jobs: { name: "rbee /jobs", pid: queenPid, route: { port: queenPort, path: "jobs", headers: cluster.headers } },
    jobsPipe: { name: "bare pipe", pid: pipePid, route: { port: pipePort, path: "/native" } },
    absent,
    close: async () => {
      for (const each of children) each.kill()
      await cluster.machine.dispose()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

export interface Cluster {
  readonly machine: Machine
  readonly headers: Readonly<Record<string, string>>
  readonly queenPort: number
  readonly queenPid: number
  readonly hivePid: number
  readonly workerPort: number
}

export interface ClusterOptions {
  readonly dist?: string
  readonly name?: string
  /** the program of its worker, one of `*-parts/*-program.ts` */
  readonly worker?: string
  readonly env?: Readonly<Record<string, string>>
}

/** The real queen and hive of `dist`, with a scripted worker resident; they run in a copy that is called `name`. */
export const openCluster = async ({
  dist = "dist",
  env = {},
  name = "relay",
  worker = "worker-program"
}: ClusterOptions = {}): Promise<Cluster> => {
  const programs = resolve(`.bench/${name}-dist`)
  rmSync(programs, { recursive: true, force: true })
  cpSync(dist, programs, { recursive: true })
  writeFileSync(join(programs, "worker.js"), `void import("../bundle/${worker}.js")\n`)
  const machine = await makeMachine({ programs, env: { RBEE_TOKEN: token, ...env } })
  const first = await machine.rbee(["infer", "--quiet", "--max-tokens", "1", "hello"])
  if (first.code !== 0) throw new Error(first.stderr)
  const pidOf = (role: "queen" | "hive") => machine.processes().find((each) => each.role === role)?.pid ?? 0
  const { stdout } = await machine.rbee(["workers", "ls", "--json"])
  return {
    machine,
    headers: { authorization: `Bearer ${token}` },
    queenPort: machine.ports.queen,
    queenPid: pidOf("queen"),
    hivePid: pidOf("hive"),
    workerPort: Number(/"port": ?(\d+)/.exec(stdout)?.[1])
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const answers = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 200; tries++) {
    const there = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false
    )
    if (there) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nobody answers on ${port}`)
}

const startNginx = async (folder: string, workerPort: number) => {
  if (spawnSync("nginx", ["-v"]).status !== 0) return "nginx is not installed (apt-get install nginx-light)"
  const port = await freePort()
  const file = join(folder, "nginx.conf")
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  upstream worker { server 127.0.0.1:${workerPort}; keepalive 600; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://worker; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 600s;
    }
  }
}`
  )
  const child = spawn("nginx", ["-c", file], { stdio: "ignore" })
  await answers(port)
  // the master waits, its one worker works
  const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ")[0])
  return { child, port, pid }
}

const startPortkey = async () => {
  const program = ".bench/portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
  if (!existsSync(program))
    return "@portkey-ai/gateway is not there (npm install --prefix .bench/portkey --ignore-scripts @portkey-ai/gateway)"
  const port = await freePort()
  const child = spawn(process.execPath, [program, `--port=${port}`, "--headless"], { stdio: "ignore" })
  await answers(port)
  return { child, port }
}

/** Seconds of CPU that a process has used. */
export const cpuSeconds = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Megabytes that a process holds. */
export const rssMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1000
