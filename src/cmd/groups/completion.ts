import type { CommandSpec } from '../command.ts'

const EXAMPLES: Readonly<Record<string, string>> = {
  bash: 'nunet completion bash > ~/.local/share/bash-completion/completions/nunet',
  zsh: 'nunet completion zsh > ~/.zfunc/_nunet',
  fish: 'nunet completion fish > ~/.config/fish/completions/nunet.fish'
}

/** `nunet completion …`. */
export const completion: CommandSpec = {
  name: 'completion',
  summary: 'Prints the completion script of a shell.',
  description:
    'The script asks this program for what fits: commands, flags, values, names of keys and contexts, keys of the configuration. ' +
    'bash: write it to /etc/bash_completion.d/nunet or ~/.local/share/bash-completion/completions/nunet, or source it in ~/.bashrc. ' +
    'zsh: write it to a file _nunet in a directory of $fpath. fish: write it to ~/.config/fish/completions/nunet.fish.',
  commands: ['bash', 'zsh', 'fish'].map((shell) => ({
    name: shell,
    summary: `Prints the completion script of ${shell}.`,
    examples: [EXAMPLES[shell] ?? ''],
    load: async () => (await import('../commands/completion.ts')).printScript
  }))
}

/** Commands for other programs, left out of everything that people read. */
export const hiddenCommands: readonly CommandSpec[] = [
  {
    name: 'autocomplete',
    summary: 'What completion was called in older versions.',
    isHidden: true,
    commands: ['bash', 'zsh'].map((shell) => ({
      name: shell,
      summary: `Prints the completion script of ${shell}.`,
      load: async () => (await import('../commands/completion.ts')).printScript
    }))
  },
  {
    name: '__complete',
    summary: 'Prints what fits at the end of the line that its arguments are.',
    isHidden: true,
    takesRawLine: true,
    load: async () => (await import('../commands/completion.ts')).complete
  },
  {
    name: '__man',
    summary: 'Writes the manual pages into a directory.',
    isHidden: true,
    args: ['directory'],
    load: async () => (await import('../commands/man.ts')).writePages
  },
  {
    name: '__unpack-layers',
    summary: 'Unpacks layers of images; the jobs come on stdin.',
    isHidden: true,
    load: async () => (await import('../commands/unpack-layers.ts')).unpackLayers
  }
]
