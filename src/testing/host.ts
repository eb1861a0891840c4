import { bytes, type Clock } from '../base/index.ts'
import type { ArtifactStore, HostFacts, LogControl } from '../dms/index.ts'
import { createLogger, LOG_LEVELS, parseLogLevel } from '../telemetry/index.ts'

/** The same process and machine around every node of a cluster; whatever is private in it contains `private`. */
export const CLUSTER_HOST: HostFacts = {
  version: '0.0.0-test',
  hostName: () => 'private-host',
  interfaces: () => [{ name: 'private0', addresses: ['192.0.2.7/24', '2001:db8::7/64'], mac: '02:00:00:00:00:07' }],
  config: () => ({ general: { host_city: 'private-city' } }),
  vitals: () => ({ uptimeSeconds: 1, resident: bytes(1), heapUsed: bytes(1), heapTotal: bytes(1), loopUse: 0, handles: 0 })
}

/** A machine that keeps nothing of registries. */
export const NO_ARTIFACTS: ArtifactStore = {
  list: () => [],
  size: () => bytes(0),
  prune: async () => ({ removed: [], freed: bytes(0) })
}

/** A log that writes nothing and keeps its events; each change of its level is one. */
export function createMemoryLogs(clock: Clock): LogControl {
  const { logger, level, setLevel, recent } = createLogger({ level: 'info', clock })
  return {
    levels: LOG_LEVELS,
    level,
    setLevel(name) {
      const wanted = parseLogLevel(name)
      if (wanted === undefined) return false
      setLevel(wanted)
      logger.info('level changed', { least: wanted, passphrase: 'private' })
      return true
    },
    recent
  }
}
