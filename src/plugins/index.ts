/**
 * plugins: lets npm packages of others add executors, each in a thread of its own that cannot take the daemon with it.
 *
 * Imports: base, executor.
 * State: which plugins run, in memory; a directory for each plugin, which only it uses.
 */
export { PLUGIN_API_VERSION } from './author.ts'
export { PluginFailedError, PluginRefusedError } from './errors.ts'
export {
  BUILT_IN_EXECUTORS,
  describePlugins,
  loadPlugins,
  type PluginDescription,
  type Plugins,
  type PluginsOptions,
  pluginPackages
} from './plugins.ts'
