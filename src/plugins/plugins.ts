import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, errorMessage, type Logger, type Millis, type Service, seconds } from '../base/index.ts'
import type { Executor } from '../executor/index.ts'
import { PluginFailedError, PluginRefusedError } from './errors.ts'
import { createExecutorProxy, type PluginSource } from './executor-proxy.ts'
import { openLink, type PluginLink } from './link.ts'
import { type LocatedPlugin, locatePlugin } from './locate.ts'

/** What plugins are loaded with. */
export interface PluginsOptions {
  /** npm names, or absolute paths of packages. */
  readonly names: readonly string[]
  /** Where packages named by npm name are installed. */
  readonly packages: string
  /** Below it, each plugin gets a directory for what it remembers. */
  readonly state: string
  /** Kinds of executors that plugins may not have. */
  readonly builtIn: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly log: Logger
  /** Default: ten seconds. */
  readonly loadLimit?: Millis
}

/** The plugins of a daemon. */
export interface Plugins extends Service {
  /** One for every kind that a plugin names, and for a plugin that may not run one under its own name; their probes say why. */
  readonly executors: readonly Executor[]
  /** The kinds of executors that ensembles may name because of plugins. */
  readonly kinds: readonly string[]
}

/**
 * Words of ensembles that mean executors of this program, also those that this version does not have: a plugin under such a
 * name would run what was meant for another.
 */
export const BUILT_IN_EXECUTORS: readonly string[] = Object.freeze([
  ...['docker', 'oci', 'containerd', 'runc', 'crun', 'kata', 'podman'],
  ...['wasm', 'null', 'firecracker', 'microvm', 'qemu', 'compute_gateway']
])

/** Where packages that are named by npm name lie: `npm install --prefix <this> <name>`. */
export function pluginPackages(userDirectory: string): string {
  return join(userDirectory, 'plugins')
}

/** A plugin that does not run is begun anew when it is asked for, at most this often. */
const REVIVE_PAUSE = seconds(30)

/**
 * Loads the plugins, one after another; none can keep the others, or the daemon, from starting.
 *
 * Their threads begin here and end with `stop`.
 */
export async function loadPlugins(options: PluginsOptions): Promise<Plugins> {
  const { names, log, builtIn } = options
  const taken = new Map(builtIn.map((kind) => [kind, 'this program']))
  const executors: Executor[] = []
  const runs: PluginRun[] = []
  for (const name of names) {
    try {
      const located = await locate(name, options, taken)
      const run = createPluginRun(located, options)
      for (const kind of located.manifest.executors) {
        taken.set(kind, `plugin ${located.manifest.name}`)
        executors.push(createExecutorProxy(kind, run))
      }
      runs.push(run)
    } catch (error) {
      executors.push(createExecutorProxy(name, refusedSource(name, errorMessage(error))))
      log.error('a plugin is not used', { plugin: name, error: errorMessage(error) })
    }
  }
  await Promise.all(runs.map((run) => run.revive()))
  return {
    name: 'plugins',
    executors,
    kinds: executors.map(({ kind }) => kind).filter((kind) => taken.has(kind)),
    start: () => Promise.resolve(),
    async stop() {
      await Promise.all(runs.map((run) => run.stop()))
    }
  }
}

/** What the plugins say of themselves, without running them; for the command line and for `doctor`. */
export async function describePlugins(
  options: Pick<PluginsOptions, 'names' | 'packages' | 'builtIn'>
): Promise<readonly PluginDescription[]> {
  const taken = new Map(options.builtIn.map((kind) => [kind, 'this program']))
  const described: PluginDescription[] = []
  for (const name of options.names) {
    try {
      const { manifest } = await locate(name, options, taken)
      for (const kind of manifest.executors) taken.set(kind, `plugin ${manifest.name}`)
      described.push({ name, version: manifest.version, executors: manifest.executors })
    } catch (error) {
      described.push({ name, refusal: errorMessage(error) })
    }
  }
  return described
}

/** A plugin that could be loaded, or why not. */
export type PluginDescription =
  | { readonly name: string; readonly version: string; readonly executors: readonly string[] }
  | { readonly name: string; readonly refusal: string }

function locate(
  name: string,
  { packages }: Pick<PluginsOptions, 'packages'>,
  taken: ReadonlyMap<string, string>
): Promise<LocatedPlugin> {
  return locatePlugin(name, { directory: packages, uid: process.getuid?.() ?? 0 }, taken)
}

/** Stands for a plugin that may not run, so that the owner sees the reason among the executors. */
function refusedSource(name: string, reason: string): PluginSource {
  return {
    name,
    link() {
      throw new PluginFailedError(`plugin ${name} is not used: ${reason}`)
    },
    revive: () => Promise.resolve()
  }
}

interface PluginRun extends PluginSource {
  stop(): Promise<void>
}

function createPluginRun(plugin: LocatedPlugin, { state, environment, clock, log, loadLimit }: PluginsOptions): PluginRun {
  const { name, version } = plugin.manifest
  const pluginLog = log.child({ plugin: name })
  let current: PluginLink | undefined
  let reason = 'it is not loaded yet'
  let triedAt: Millis | undefined
  let reviving: Promise<void> | undefined
  let isStopped = false

  async function load(): Promise<void> {
    triedAt = clock.now()
    try {
      const directory = join(state, createHash('sha256').update(name).digest('hex').slice(0, 32))
      await mkdir(directory, { recursive: true, mode: 0o700 })
      current = await openLink({ plugin, directory, environment, clock, log: pluginLog, ...(loadLimit && { loadLimit }) })
      pluginLog.info('plugin loaded', { version })
    } catch (error) {
      reason = errorMessage(error)
      pluginLog.error('a plugin cannot be loaded', { error: reason, isRefused: error instanceof PluginRefusedError })
    }
  }

  return {
    name,
    link() {
      const why = current === undefined ? reason : current.ended()
      if (current === undefined || why !== undefined) throw new PluginFailedError(`plugin ${name}: ${why ?? reason}`)
      return current
    },
    async revive() {
      const isRunning = current !== undefined && current.ended() === undefined
      const isTooSoon = triedAt !== undefined && clock.now() - triedAt < REVIVE_PAUSE
      if (isStopped || isRunning || (isTooSoon && reviving === undefined)) return
      reviving ??= load().finally(() => {
        reviving = undefined
      })
      await reviving
    },
    async stop() {
      isStopped = true
      await reviving
      await current?.close()
    }
  }
}
