import { BEHAVIORS } from '../behaviors.ts'
import type { CommandSpec, FlagSpec } from '../command.ts'
import { destination, lifetimeFlags, lifetimeRule } from './actor.ts'
import { json, userContext } from './flags.ts'

function flagsOfBehavior(name: string): readonly FlagSpec[] {
  return BEHAVIORS.find((behavior) => behavior.name === name)?.flags ?? []
}

/** `nunet deploy`: the same as calling `/dms/node/deployment/new` (D §2.1). */
export const deploy: CommandSpec = {
  name: 'deploy',
  summary: 'Deploys an ensemble and prints its id as JSON.',
  description: 'The same as nunet actor cmd /dms/node/deployment/new.',
  flags: [...flagsOfBehavior('/dms/node/deployment/new'), userContext, destination, ...lifetimeFlags],
  rules: { exclusive: [lifetimeRule] },
  examples: ['nunet deploy -f ensemble.yaml'],
  load: async () => (await import('../commands/deployments.ts')).deploy
}

/** `nunet get …`. */
export const get: CommandSpec = {
  name: 'get',
  summary: 'Lists what a node has, as tables.',
  persistentFlags: [userContext, destination, ...lifetimeFlags, json],
  commands: [
    {
      name: 'deployments',
      summary: 'Lists deployments.',
      flags: flagsOfBehavior('/dms/node/deployment/list'),
      rules: { exclusive: [lifetimeRule] },
      examples: ['nunet get deployments', 'nunet get deployments --status running --json'],
      load: async () => (await import('../commands/deployments.ts')).getDeployments
    },
    {
      name: 'allocations',
      summary: 'Lists the jobs of others on the machine.',
      flags: flagsOfBehavior('/dms/node/allocations/list'),
      rules: { exclusive: [lifetimeRule] },
      examples: ['nunet get allocations', 'nunet get allocations --status running --json'],
      load: async () => (await import('../commands/node-tables.ts')).getAllocations
    },
    {
      name: 'peers',
      summary: 'Lists the peers that are connected, with their scores.',
      rules: { exclusive: [lifetimeRule] },
      examples: ['nunet get peers'],
      load: async () => (await import('../commands/node-tables.ts')).getPeers
    }
  ]
}
