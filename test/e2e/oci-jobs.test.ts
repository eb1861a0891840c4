import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LabImages, openLabImages, serveBusybox } from '../../scripts/lab/images.ts'
import { type Lab, openLab } from '../../scripts/lab/lab.ts'
import { probeOci } from '../../src/executor/oci/index.ts'
import { requirement } from '../../src/testing/requirements.ts'

const oci = await requirement('oci', () => probeOci('auto'))

describe.skipIf(!oci.available)(oci.title('jobs in containers without a daemon'), () => {
  let images: LabImages
  let lab: Lab
  let image: string
  let example: string

  beforeAll(async () => {
    images = await openLabImages()
    image = await serveBusybox(images)
    lab = await openLab({ cores: 1, memoryShare: 0.5, diskGiB: 2, registry: images.host })
    example = await readFile(new URL('../../examples/hello-oci.yaml', import.meta.url), 'utf8')
  }, 120_000)

  afterAll(async () => {
    await lab.dispose()
    await images.close()
  })

  const withImage = (text: string): string => text.replace('docker.io/library/busybox:latest', image)

  async function outputOf(ensemble: string): Promise<string> {
    const id = await lab.deploy(ensemble)
    expect(await lab.ended(id, 100)).toMatchObject({ status: 'Completed' })
    return (await lab.logs(id, 'anywhere.hello')).stdout
  }

  test('an image that no registry has fails with what the registry says', { timeout: 120_000 }, async () => {
    const id = await lab.deploy(withImage(example).replace('busybox:latest', 'none:latest'))
    const { status, error } = await lab.ended(id, 110)
    expect(status).toBe('Failed')
    expect(error).toMatch(/none:latest/)
  })

  test('the example runs, and as the executor of the reference as well', { timeout: 120_000 }, async () => {
    expect(await outputOf(withImage(example))).toBe('hello from a container without Docker\n')
    const reference = withImage(example)
      .replaceAll('oci', 'containerd')
      .replace('type: containerd', 'type: containerd\n      runtime: runc')
    expect(await outputOf(reference)).toBe('hello from a container without Docker\n')
  })

  test('scripts, keys and volumes are there as in other containers', { timeout: 120_000 }, async () => {
    const job = `
version: V1
allocations:
  hello:
    type: task
    executor: oci
    resources: { cpu: { cores: 0.5 }, ram: { size: 64MiB }, disk: { size: 16MiB } }
    volume: [{ type: local, src: counted, mount_destination: /data }]
    execution: { type: oci, image: "${image}", cmd: [sh, -c, "echo x >> /data/runs; wc -l < /data/runs"] }
nodes:
  anywhere: { allocations: [hello] }
`
    expect((await outputOf(job)).trim()).toBe('1')
    expect((await outputOf(job)).trim()).toBe('2')
  })

  test('a job goes on while its daemon is killed, and its output is whole', { timeout: 120_000 }, async () => {
    const count = 'i=0; while [ $i -lt 8 ]; do i=$((i+1)); echo $i; sleep 1; done'
    const text = withImage(example).replace(/cmd: .*/, `cmd: ["sh", "-c", "${count}"]`)
    const id = await lab.deploy(text)
    await expect.poll(async () => (await lab.status(id)).status, { timeout: 60_000 }).toBe('Running')
    await lab.provider.stop('SIGKILL')
    await lab.restart(lab.provider)
    await lab.connect()
    expect(await lab.ended(id, 60)).toMatchObject({ status: 'Completed' })
    expect((await lab.logs(id, 'anywhere.hello')).stdout).toBe('1\n2\n3\n4\n5\n6\n7\n8\n')
  })

  test('nothing of them is left, and their image is kept for the next', { timeout: 60_000 }, async () => {
    await expect.poll(() => lab.free(), { timeout: 30_000 }).toEqual(lab.offer)
    const { stdout: loops } = await promisify(execFile)('losetup', ['-a'])
    expect(loops).not.toContain(lab.provider.home)
    expect(await lab.provider.succeed('artifacts', 'list')).toContain('nunet-test/busybox')
  })
})
