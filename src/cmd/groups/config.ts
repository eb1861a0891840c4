import type { CommandSpec } from '../command.ts'

/** `nunet config …`. */
export const config: CommandSpec = {
  name: 'config',
  summary: 'Shows and changes the configuration file.',
  commands: [
    {
      name: 'get',
      summary: 'Prints the configuration, or one key or section of it.',
      args: ['key'],
      optionalArgs: 1,
      load: async () => (await import('../commands/config.ts')).getValue
    },
    {
      name: 'set',
      summary: 'Sets one key in the file.',
      args: ['key', 'value'],
      examples: ['nunet config set rest.port 10000'],
      load: async () => (await import('../commands/config.ts')).setValue
    },
    {
      name: 'edit',
      summary: 'Opens the file in $EDITOR.',
      load: async () => (await import('../commands/config.ts')).edit
    }
  ]
}
