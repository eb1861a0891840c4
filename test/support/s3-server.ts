import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from 's3rver'

/** A service that speaks S3, on loopback, with one bucket. */
export interface S3Server {
  readonly endpoint: string
  /** `127.0.0.1:<port>`. */
  readonly host: string
  /** `METHOD path?query` of every request, with the range that it asked for. */
  readonly requests: readonly string[]
  /** What a volume says to reach it. */
  readonly place: Readonly<Record<string, string>>
  /** Looks at every request first; true: it has answered itself, or will not. */
  interfere: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
  stop(): Promise<void>
}

/** The keys that the server knows. */
export const S3_KEYS = { access_key_id: 'S3RVER', secret_access_key: 'S3RVER' } as const

/** Starts a server with an empty bucket `data`. */
export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'nunet-s3-'))
  const program = new S3rver({ directory, silent: true, configureBuckets: [{ name: 'data' }] })
  await program.configureBuckets()
  const serve = program.callback()
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim())
    if (running.interfere?.(request, response) !== true) void serve(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const running: S3Server = {
    endpoint: `http://${host}`,
    host,
    requests,
    place: { bucket: 'data', endpoint: `http://${host}`, ...S3_KEYS },
    interfere: undefined,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(directory, { recursive: true, force: true })
    }
  }
  return running
}
