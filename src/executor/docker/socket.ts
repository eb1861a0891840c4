import { ExecutorUnavailableError } from '../errors.ts'

const DEFAULT_SOCKET = '/var/run/docker.sock'

/**
 * The path of the daemon's socket: that of `DOCKER_HOST` in `environment`, or the usual one.
 *
 * @throws ExecutorUnavailableError for a `DOCKER_HOST` that is no `unix://` address: a TCP daemon runs jobs on another machine.
 */
export function defaultDockerSocket(environment: NodeJS.ProcessEnv): string {
  const host = environment['DOCKER_HOST'] ?? ''
  if (host === '') return DEFAULT_SOCKET
  if (host.startsWith('unix:///')) return host.slice('unix://'.length)
  throw new ExecutorUnavailableError(`DOCKER_HOST is ${JSON.stringify(host)}, only unix:///path is supported`)
}
