import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createSecret, gibibytes, minutes, seconds, silentLogger, systemClock, systemRandom } from '../src/base/index.ts'
import type { Images } from '../src/image/index.ts'
import { type MadeImage, makeArtifact, makeImage, pushImage } from '../src/testing/registry.ts'
import { REGISTRY_USER, registryRequirement, startRegistry, type TestRegistry } from '../test/support/registry.ts'
import type { Benchmark, Outcome } from './support/benchmark.ts'
import { compare, type Subject, timed } from './support/compare.ts'
import { type Dms, isBuilt, loadDms } from './support/dms.ts'
import type { Scratch } from './support/scratch.ts'

const ROUNDS = 5
const SIZE_MIB = 64
const MEDIA_TYPE = 'application/octet-stream'
const AUTH = { username: REGISTRY_USER.username, password: createSecret(REGISTRY_USER.password) }

/** How long a pull takes, to a client that writes the same bytes to a file and looks at none of them. */
export const imagePull: Benchmark = {
  name: 'image-pull',
  title: `Pulling ${SIZE_MIB} MiB from a registry on loopback, to a plain download of the same bytes`,
  unit: 'ms',
  async available() {
    const { available, reason } = await registryRequirement()
    return available ? isBuilt() : reason
  },
  async run(scratch: Scratch): Promise<Outcome> {
    const dms = await loadDms()
    const registry = await startRegistry()
    scratch.defer(() => registry.stop())
    const content = randomBytes(SIZE_MIB * 2 ** 20)
    const artifact = makeArtifact(MEDIA_TYPE, content)
    const image = await makeImage({ layers: [[{ name: 'data', content }]] })
    await pushImage(registry.url, 'bench/artifact:1', artifact, registry.headers)
    await pushImage(registry.url, 'bench/image:1', image, registry.headers)
    const subjects = [
      pull('artefact: verified and kept', scratch, (images) =>
        images.fetchArtifact(`${registry.host}/bench/artifact:1`, { workloadId: 'bench', auth: AUTH, mediaTypes: [MEDIA_TYPE] })
      ),
      pull('image: verified, unpacked and kept', scratch, (images) =>
        images.prepare(`${registry.host}/bench/image:1`, { workloadId: 'bench', auth: AUTH })
      )
    ]
    const comparison = await compare(plainDownload(registry, artifact, scratch), subjects, ROUNDS)
    return {
      ...comparison,
      notes: ['bytes that do not compress, one layer; an image is unpacked by a process of its own']
    }

    function pull(name: string, { directory }: Scratch, work: (images: Images) => Promise<unknown>): Subject {
      return { name, measure: () => measurePull(dms, join(directory, 'images'), registry.host, work) }
    }
  }
}

/** Into an empty store, with the manifests and the questions for the password that belong to a pull. */
async function measurePull(
  { image }: Dms,
  directory: string,
  host: string,
  work: (images: Images) => Promise<unknown>
): Promise<number> {
  const images = image.createImages({
    directory,
    rules: { allowedPrivate: [], insecure: [host] },
    cacheSize: gibibytes(4),
    maxImageSize: gibibytes(1),
    stallLimit: seconds(30),
    pullLimit: minutes(10),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger
  })
  await images.start()
  try {
    return await timed(1, async () => void (await work(images)))
  } finally {
    await images.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

function plainDownload({ url, headers }: TestRegistry, { layers: [blob] }: MadeImage, { directory }: Scratch): Subject {
  const path = join(directory, 'plain')
  return {
    name: 'plain download to a file',
    measure: () =>
      timed(1, async () => {
        const answer = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
          get(new URL(`/v2/bench/artifact/blobs/${blob?.digest ?? ''}`, url), { headers, agent: false }, resolve).once(
            'error',
            reject
          )
        })
        await pipeline(answer, createWriteStream(path))
      })
  }
}
