/**
 * cmd: the command line: a table of commands, each loaded when it is called.
 *
 * Imports: base, db, config, identity, wallet, ucan, agent, actor, image, protocol, client, plugins, doctor.
 * State: none.
 */
export type { Io, Output, Terminal } from './io.ts'
export { main } from './main.ts'
export { processIo } from './process-io.ts'
