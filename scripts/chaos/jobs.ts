import { encodeBase64 } from '../../src/base/index.ts'
import { BUSYBOX_IMAGE } from '../../src/testing/docker-image.ts'
import { assembleWat } from '../build-wasm.ts'

/** An executor that jobs are killed around. */
export interface ChaosExecutor {
  readonly kind: string
  /**
   * The `execution` of a job that makes the file `/data/<name>.<eight random letters>`, prints `begin`, lasts so many tenths of a second
   * and prints `end`. `image` is a busybox in a registry.
   */
  execution(name: string, tenths: number, image: string): Promise<string>
}

function shellJob(name: string, tenths: number): string {
  return `: > /data/${name}.$(head -c 6 /dev/urandom | base64 | tr -dc a-z0-9)$$; echo begin; sleep ${tenths / 10}; echo end`
}

const ONCE = new URL('../../test/fixtures/wasm/once.wat', import.meta.url)

/** Every executor that runs programs; those that do not work here are left out. An executor more is an entry more. */
export const CHAOS_EXECUTORS: readonly ChaosExecutor[] = Object.freeze([
  {
    kind: 'docker',
    execution: (name, tenths) => {
      const script = JSON.stringify(shellJob(name, tenths))
      return Promise.resolve(`{ type: docker, image: ${BUSYBOX_IMAGE}, cmd: [busybox, sh, -c, ${script}] }`)
    }
  },
  {
    kind: 'oci',
    execution: (name, tenths, image) => {
      const script = JSON.stringify(shellJob(name, tenths))
      return Promise.resolve(`{ type: oci, image: "${image}", cmd: [busybox, sh, -c, ${script}] }`)
    }
  },
  {
    kind: 'wasm',
    async execution(name, tenths) {
      const module = encodeBase64(await assembleWat(ONCE))
      return `{ type: wasm, module: "base64:${module}", args: ["${name}", "${tenths}"] }`
    }
  }
] satisfies ChaosExecutor[])

/** The ensemble of one such job; all of them share a volume, in which each leaves a file whenever it runs. */
export async function chaosEnsemble(executor: ChaosExecutor, name: string, tenths: number, image: string): Promise<string> {
  return `
version: V1
allocations:
  job:
    type: task
    executor: ${executor.kind}
    resources: { cpu: { cores: 0.1 }, ram: { size: 32MiB }, disk: { size: 4MiB } }
    volume:
      - { type: local, src: marks, mount_destination: /data }
    execution: ${await executor.execution(name, tenths, image)}
nodes:
  node1:
    allocations: [job]
`
}
