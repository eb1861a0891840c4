import { BEHAVIORS } from '../behaviors.ts'
import type { CommandSpec, FlagSpec } from '../command.ts'
import { destination, lifetimeFlags, lifetimeRule } from './actor.ts'
import { json, userContext } from './flags.ts'

function flagsOfBehavior(name: string): readonly FlagSpec[] {
  return BEHAVIORS.find((behavior) => behavior.name === name)?.flags ?? []
}

/** `nunet artifacts …`. */
export const artifacts: CommandSpec = {
  name: 'artifacts',
  summary: 'Shows and removes what a node keeps of registries for its jobs.',
  persistentFlags: [userContext, destination, ...lifetimeFlags, json],
  commands: [
    {
      name: 'list',
      summary: 'Lists images and artefacts, the last used first.',
      flags: flagsOfBehavior('/dms/node/artifacts/list'),
      rules: { exclusive: [lifetimeRule] },
      examples: ['nunet artifacts list', 'nunet artifacts list --json'],
      load: async () => (await import('../commands/artifacts.ts')).listArtifacts
    },
    {
      name: 'prune',
      summary: 'Removes images and artefacts that no job uses.',
      description: 'Without flags all that no job uses. What a job uses stays, whatever the flags say.',
      flags: flagsOfBehavior('/dms/node/artifacts/prune'),
      rules: { exclusive: [lifetimeRule] },
      examples: ['nunet artifacts prune', 'nunet artifacts prune --used-before 7d', 'nunet artifacts prune --down-to 5GiB'],
      load: async () => (await import('../commands/artifacts.ts')).pruneArtifacts
    }
  ]
}
