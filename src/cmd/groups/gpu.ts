import type { CommandSpec } from '../command.ts'
import { json } from './flags.ts'

/** `nunet gpu …` (D §2.6). */
export const gpu: CommandSpec = {
  name: 'gpu',
  summary: 'Shows the graphics cards of this machine, and tries whether containers can use them.',
  commands: [
    {
      name: 'list',
      summary: 'Lists the graphics cards with their memory, address and the index by which they are lent.',
      description: 'Asks the kernel and the tools of the vendors; no node needs to run.',
      flags: [json],
      examples: ['nunet gpu list', 'nunet gpu list --json'],
      load: async () => (await import('../commands/gpu.ts')).listGpus
    },
    {
      name: 'test',
      summary: 'Runs a container with each graphics card, as jobs do.',
      description:
        'Needs Docker and, for NVIDIA, the NVIDIA Container Toolkit. The image is pulled when it is not there; the container is removed again.',
      flags: [
        { name: 'image', type: 'text', value: 'image', doc: 'What the container is made of.', default: 'ubuntu:20.04' },
        { name: 'index', type: 'integer', value: 'number', doc: 'Only this card.' }
      ],
      examples: ['nunet gpu test', 'nunet gpu test --index 0 --image ubuntu:24.04'],
      load: async () => (await import('../commands/gpu.ts')).testGpus
    }
  ]
}
