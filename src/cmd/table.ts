import type { CommandSpec } from './command.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { actor } from './groups/actor.ts'
import { cap } from './groups/cap.ts'
import { config } from './groups/config.ts'
import { contextFlag } from './groups/flags.ts'
import { key } from './groups/key.ts'

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
    key,
    cap,
    actor,
    config,
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
