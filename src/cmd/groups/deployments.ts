import { BEHAVIORS } from '../behaviors.ts'
import type { CommandSpec, FlagSpec } from '../command.ts'
import { destination, lifetimeFlags, lifetimeRule } from './actor.ts'
import { json, userContext } from './flags.ts'

function flagsOfBehavior(name: string): readonly FlagSpec[] {
  return BEHAVIORS.find((behavior) => behavior.name === name)?.flags ?? []
}

/** `nunet deploy`: with `-f` the same as calling `/dms/node/deployment/new` (D §2.1). */
export const deploy: CommandSpec = {
  name: 'deploy',
  summary: 'Deploys an ensemble, follows it, and prints the output of its jobs.',
  description:
    'What happens is told on stderr, the output of the jobs goes to stdout and stderr as it comes; it ends with the deployment, with an error when that failed. With -f instead of the argument it is the same as nunet actor cmd /dms/node/deployment/new: it prints the reply with the id as JSON and does not wait.',
  args: ['file'],
  optionalArgs: 1,
  flags: [
    { name: 'detach', type: 'switch', doc: 'Prints the id and does not wait.' },
    ...flagsOfBehavior('/dms/node/deployment/new'),
    userContext,
    destination,
    ...lifetimeFlags
  ],
  rules: { exclusive: [lifetimeRule] },
  examples: ['nunet deploy job.yaml', 'nunet deploy job.yaml --detach', 'nunet deploy -f ensemble.yaml'],
  load: async () => (await import('../commands/deploy.ts')).deploy
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
      name: 'outputs',
      summary: 'Lists or fetches the files that jobs have left.',
      description:
        'Your node fetches them when a job ends, and keeps them when its provider goes. Without --to they are listed; with it they are written into a directory, in which files that are there already are left alone. A command that was interrupted goes on where it was.',
      args: ['deployment', 'allocation'],
      optionalArgs: 1,
      flags: [
        { name: 'list', type: 'switch', doc: 'Lists them; so without --to.' },
        { name: 'to', type: 'text', value: 'directory', doc: 'Writes them into this directory.' }
      ],
      rules: { exclusive: [lifetimeRule] },
      examples: ['nunet get outputs <id>', 'nunet get outputs <id> node1.train --to results'],
      load: async () => (await import('../commands/outputs.ts')).getOutputs
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
