import type { CommandSpec } from './command.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { actor } from './groups/actor.ts'
import { agentCommands } from './groups/agent.ts'
import { cap } from './groups/cap.ts'
import { config } from './groups/config.ts'
import { deploy, get } from './groups/deployments.ts'
import { contextFlag, json } from './groups/flags.ts'
import { key } from './groups/key.ts'
import { setup } from './groups/setup.ts'

/** The whole command line. Only texts and names are here: the code of a command is loaded when it is called. */
export const ROOT: CommandSpec = {
  name: 'nunet',
  summary: 'NuNet Device Management Service: lends this machine to others, and runs jobs on theirs.',
  persistentFlags: GLOBAL_FLAGS,
  commands: [
    {
      name: 'run',
      summary: 'Runs the service in the foreground.',
      flags: [contextFlag({ default: 'dms' })],
      examples: ['nunet run', 'nunet --config /etc/nunet/dms_config.json run -c dms'],
      load: async () => (await import('./commands/run.ts')).run
    },
    setup,
    key,
    ...agentCommands,
    cap,
    actor,
    deploy,
    get,
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
      args: ['file'],
      load: async () => (await import('./commands/validate.ts')).validate
    },
    {
      name: 'version',
      summary: 'Prints the version.',
      load: async () => (await import('./commands/version.ts')).version
    }
  ]
}
