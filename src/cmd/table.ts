import type { CommandSpec } from './command.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { actor } from './groups/actor.ts'
import { agentCommands } from './groups/agent.ts'
import { artifacts } from './groups/artifacts.ts'
import { cap } from './groups/cap.ts'
import { completion, hiddenCommands } from './groups/completion.ts'
import { config } from './groups/config.ts'
import { deploy, get } from './groups/deployments.ts'
import { events } from './groups/events.ts'
import { contextFlag, json } from './groups/flags.ts'
import { gpu } from './groups/gpu.ts'
import { invitationCommands } from './groups/invitations.ts'
import { key } from './groups/key.ts'
import { setup } from './groups/setup.ts'

/** The whole command line. Only texts and names are here: the code of a command is loaded when it is called. */
export const ROOT: CommandSpec = {
  name: 'nunet',
  summary: 'NuNet Device Management Service: lends this machine to others, and runs jobs on theirs.',
  description:
    'Flags may stand anywhere on the line. Results go to stdout, notes and questions to stderr; nobody is asked anything without a terminal.',
  flags: [{ name: 'version', type: 'switch', doc: 'Prints the version.' }],
  persistentFlags: GLOBAL_FLAGS,
  examples: ['nunet key new user', 'nunet run -c dms', 'nunet actor cmd -c dms /dms/node/peers/self'],
  commands: [
    {
      name: 'run',
      summary: 'Runs the service in the foreground.',
      description:
        'Ends at SIGINT or SIGTERM; jobs go on and are found again. A second signal ends it at once. ' +
        'The key and the capability context must exist: nothing is made on the way.',
      flags: [
        contextFlag({ default: 'dms' }),
        {
          name: 'no-console',
          type: 'switch',
          doc: 'Logs to the log file only, and prints on stdout when it is ready; for programs that start it.'
        }
      ],
      examples: ['nunet run', 'nunet --config /etc/nunet/dms_config.json run -c dms'],
      load: async () => (await import('./commands/run.ts')).run
    },
    setup,
    ...invitationCommands,
    key,
    ...agentCommands,
    cap,
    actor,
    deploy,
    get,
    artifacts,
    events,
    gpu,
    config,
    {
      name: 'doctor',
      summary: 'Examines this machine and its configuration, and says what to do about what it finds.',
      description:
        'Changes nothing and needs no passphrase. Ends with 0 when there is no problem; otherwise with the exit code of the first one.',
      flags: [
        contextFlag({ default: 'dms' }),
        json,
        { name: 'gpu', type: 'switch', doc: 'Measures against the requirements for graphics cards, also when none is found.' },
        { name: 'strict', type: 'switch', doc: 'Takes warnings for problems.' }
      ],
      examples: ['nunet doctor', 'nunet doctor --json --strict'],
      load: async () => (await import('./commands/doctor.ts')).doctor
    },
    {
      name: 'validate',
      summary: 'Checks an ensemble file.',
      description: 'Prints each error as file:line:column, or that the file is valid. Reads no configuration and asks no node.',
      args: ['file'],
      examples: ['nunet validate ensemble.yaml'],
      load: async () => (await import('./commands/validate.ts')).validate
    },
    completion,
    ...hiddenCommands,
    {
      name: 'version',
      summary: 'Prints the version.',
      flags: [{ name: 'json', type: 'switch', doc: 'Prints it as JSON.' }],
      examples: ['nunet version', 'nunet version --json'],
      load: async () => (await import('./commands/version.ts')).version
    }
  ]
}
