/**
 * api: the REST gateway through which local clients reach the actors.
 *
 * Imports: base, actor.
 * State: the listening sockets and the open requests of a started server.
 */
export { ApiAddressError, ApiListenError, SocketInUseError, SocketPlaceError } from './errors.ts'
export type { EventReader, EventSource } from './event-stream.ts'
export type { Health } from './health.ts'
export {
  type ApiLimits,
  type ApiPlaces,
  type ApiServer,
  type ApiServerOptions,
  createApiServer,
  type SocketPlace
} from './server.ts'
