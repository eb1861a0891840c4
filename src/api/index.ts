/**
 * api: the REST gateway through which local clients reach the actors.
 *
 * Imports: base, actor.
 * State: the listening socket and the open requests of a started server.
 */
export { ApiAddressError, ApiListenError } from './errors.ts'
export { type ApiLimits, type ApiServer, type ApiServerOptions, createApiServer } from './server.ts'
