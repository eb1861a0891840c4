/**
 * executor/docker: runs containers through the socket of a Docker daemon.
 *
 * Imports: base, executor.
 * State: none; containers carry labels by which a restarted daemon finds them again.
 */
export { type DockerDescription, describeDocker } from './describe.ts'
export { createDockerExecutor, type DockerExecutorOptions } from './docker-executor.ts'
export { defaultDockerSocket } from './socket.ts'
