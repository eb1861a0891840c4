import type { CommandSpec, FlagSpec } from '../command.ts'

const json: FlagSpec = { name: 'json', type: 'switch', doc: 'Prints JSON and nothing else.' }

const quiet: FlagSpec = { name: 'quiet', short: 'q', type: 'switch', doc: 'Prints no notes, only results and errors.' }

/** `nunet config …`. */
export const config: CommandSpec = {
  name: 'config',
  summary: 'Shows and changes the configuration file.',
  description:
    'The file is dms_config.json. The first one found counts: ./, ~/.nunet/, $XDG_CONFIG_HOME/nunet/ (~/.config/nunet/), /etc/nunet/; with --config only that file. ' +
    'A value comes from its flag, else from its variable (rest.port is DMS_REST_PORT), else from the file, else from the default.',
  commands: [
    {
      name: 'get',
      summary: 'Prints the configuration, or one key or section of it.',
      description: 'Prints the values that count now, as JSON. Secrets are masked unless --reveal is given. Writes nothing.',
      args: ['key'],
      optionalArgs: 1,
      argValues: ['config-key'],
      flags: [
        {
          name: 'sources',
          type: 'switch',
          doc: 'Prints for each key whether it comes from a flag, a variable, the file or the default.'
        },
        { name: 'reveal', type: 'switch', doc: 'Shows secrets.' },
        json,
        quiet
      ],
      examples: [
        'nunet config get',
        'nunet config get rest.port',
        'nunet config get --sources general',
        'nunet config get -q apm --reveal'
      ],
      load: async () => (await import('../commands/config.ts')).getValue
    },
    {
      name: 'set',
      summary: 'Sets one key in the file.',
      description:
        'The value is read by the type of the key: a list is JSON or its items between commas, an object is JSON. ' +
        'A single - reads the value from stdin, which keeps secrets out of the list of processes. ' +
        'Only this key is written; when there is no file yet, ~/.nunet/dms_config.json is made.',
      args: ['key', 'value'],
      argValues: ['config-key', 'config-value'],
      flags: [json, quiet],
      examples: [
        'nunet config set rest.port 10000',
        'nunet config set p2p.listen_address /ip4/0.0.0.0/tcp/9100,/ip6/::/tcp/9100',
        'nunet config set general.providers \'[{"name":"lab","type":"local-incus"}]\'',
        'nunet config set observability.elastic.api_key - < api-key.txt'
      ],
      load: async () => (await import('../commands/config.ts')).setValue
    },
    {
      name: 'unset',
      summary: 'Takes one key or section out of the file, so that the default counts again.',
      args: ['key'],
      argValues: ['config-key'],
      flags: [json, quiet],
      examples: ['nunet config unset rest.port', 'nunet config unset observability.elastic'],
      load: async () => (await import('../commands/config.ts')).unsetValue
    },
    {
      name: 'edit',
      summary: 'Opens the file in $VISUAL or $EDITOR.',
      description:
        'The editor gets a private copy, which replaces the file only when it is a good configuration. ' +
        'Otherwise one can edit again; without a terminal, what was written is kept as <file>.rejected.',
      examples: ['nunet config edit', 'nunet --config /etc/nunet/dms_config.json config edit'],
      load: async () => (await import('../commands/config-edit.ts')).edit
    }
  ]
}
