/**
 * The entry point `@nunet/dms/plugin`: what the author of a plugin imports.
 *
 * A plugin is an npm package that names in its `package.json` what it adds, and exports `plugin`. It runs in a thread of its own:
 * whatever it does, throws or fails to do, the daemon goes on.
 */
import type { Executor } from '../executor/index.ts'

export {
  type AbortOptions,
  type Bytes,
  bytes,
  CancelledError,
  type Clock,
  DmsError,
  type ErrorKind,
  type JsonValue,
  type LogFields,
  type Millis,
  millis,
  seconds,
  systemClock
} from '../base/index.ts'
export * from '../executor/index.ts'

/** The version of the contract between the daemon and plugins; a plugin of another version is refused. */
export const PLUGIN_API_VERSION = 1

/** What a plugin is given to register with. */
export interface PluginHost {
  /** A private directory for what the plugin remembers; absolute, existing, kept between starts. */
  readonly directory: string
  /** Lines in the log of the daemon, under the name of the plugin. */
  readonly log: PluginLog
  /** The kind must be among `nunet.executors` of the `package.json`. */
  addExecutor(executor: Executor): void
}

/** Where a plugin writes what happens; fields must be what `structuredClone` takes. */
export interface PluginLog {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

/** What a plugin exports under the name `plugin`. */
export interface Plugin {
  /** {@link PLUGIN_API_VERSION} of the version that the plugin was written for. */
  readonly apiVersion: number
  /** Adds what the package names in `nunet`; must end within ten seconds. */
  register(host: PluginHost): void | Promise<void>
}

/** A plugin that adds one executor, which `create` makes. */
export function defineExecutorPlugin(create: (host: PluginHost) => Executor | Promise<Executor>): Plugin {
  return {
    apiVersion: PLUGIN_API_VERSION,
    async register(host) {
      host.addExecutor(await create(host))
    }
  }
}
