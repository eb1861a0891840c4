import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DmsError, type JsonValue, mebibytes } from '../../base/index.ts'
import type { VolumeProvider, VolumeRequest } from '../../storage/index.ts'

/** One driver on one machine. */
export interface VolumeProviderFixture {
  readonly provider: VolumeProvider
  /** A volume that can be prepared; a new one at each call. */
  spec(): JsonValue
  /** A volume that must be refused, and the field that the refusal must name. */
  invalid(): { readonly spec: JsonValue; readonly field: string }
  /** Another provider over the same machine, as after a restart of the daemon. */
  reopen(): VolumeProvider
  /** Removes everything. */
  dispose(): Promise<void>
}

/** What {@link volumeProviderCompliance} needs of a test runner. */
export interface VolumeProviderComplianceOptions {
  readonly test: (name: string, work: () => Promise<void>) => void
  readonly create: () => Promise<VolumeProviderFixture>
}

type Work = (fixture: VolumeProviderFixture, request: (spec: JsonValue) => Promise<VolumeRequest>) => Promise<void>

/** The behavior that the rest of the system relies on, wherever the volumes come from. */
export function volumeProviderCompliance({ test, create }: VolumeProviderComplianceOptions): void {
  function check(name: string, work: Work): void {
    test(name, async () => {
      const fixture = await create()
      const place = await realpath(await mkdtemp(join(tmpdir(), 'nunet-volumes-')))
      const requests: VolumeRequest[] = []
      try {
        await work(fixture, async (spec) => {
          const request = await makeRequest(place, requests.length, spec)
          requests.push(request)
          return request
        })
      } finally {
        for (const request of requests) await fixture.provider.release(request)
        await fixture.dispose()
        await rm(place, { recursive: true })
      }
    })
  }
  checkRefusals(check)
  checkPreparing(check)
  checkReleasing(check)
}

async function makeRequest(place: string, number: number, spec: JsonValue): Promise<VolumeRequest> {
  const directory = join(place, String(number))
  await mkdir(directory, { mode: 0o700 })
  return { id: `job.${number}`, owner: 'did:key:owner', directory, spec, isReadOnly: false, limit: mebibytes(64) }
}

type Check = (name: string, work: Work) => void

function checkRefusals(check: Check): void {
  check('a bad description is refused by the name of its field, by check and by prepare', async (fixture, request) => {
    const { spec, field } = fixture.invalid()
    const isRefusal = (error: unknown): boolean =>
      error instanceof DmsError && error.code === 'STORAGE_BAD_SPEC' && error.message.includes(field)
    assert.throws(() => fixture.provider.check(spec), isRefusal)
    const refused = await request(spec)
    await assert.rejects(fixture.provider.prepare(refused), isRefusal)
    assert.deepEqual(await readdir(refused.directory), [])
  })

  check('a preparation whose signal is aborted already leaves nothing that a release does not take', async (fixture, request) => {
    const aborted = await request(fixture.spec())
    await assert.rejects(fixture.provider.prepare(aborted, { signal: AbortSignal.abort() }))
    await fixture.provider.release(aborted)
    assert.deepEqual(await readdir(aborted.directory), [])
  })

  check('the removal of a volume that is not there says so', async ({ provider }) => {
    assert.equal(await provider.remove({ owner: 'did:key:owner', name: 'none' }), false)
    assert.equal(await provider.remove({ owner: 'did:key:owner', name: '../..' }), false)
  })
}

function checkPreparing(check: Check): void {
  check('a provider that is there says so with its version', async ({ provider }) => {
    const probe = await provider.probe()
    assert.ok(probe.available && probe.version.length > 0)
  })

  check('a good description passes the check without an effect', async (fixture) => {
    fixture.provider.check(fixture.spec())
    assert.deepEqual(await fixture.provider.list(), [])
  })

  check('a prepared volume is a directory, and the same one for the same id, also after a restart', async (fixture, request) => {
    const wanted = await request(fixture.spec())
    const first = await fixture.provider.prepare(wanted)
    assert.ok((await stat(first.source)).isDirectory())
    assert.deepEqual(await fixture.provider.prepare(wanted), first)
    assert.deepEqual(await fixture.reopen().prepare(wanted), first)
  })

  check('preparations of the same id at the same time give the same volume', async (fixture, request) => {
    const wanted = await request(fixture.spec())
    const [first, second] = await Promise.all([fixture.provider.prepare(wanted), fixture.provider.prepare(wanted)])
    assert.deepEqual(first, second)
  })
}

function checkReleasing(check: Check): void {
  check(
    'a release leaves nothing in the directory of the id, may be repeated, and works after a restart',
    async (fixture, request) => {
      const wanted = await request(fixture.spec())
      await fixture.provider.prepare(wanted)
      await fixture.reopen().release(wanted)
      assert.deepEqual(await readdir(wanted.directory), [])
      await fixture.provider.release(wanted)
    }
  )

  check('the release of what was never prepared does nothing', async (fixture, request) => {
    await fixture.provider.release(await request(fixture.spec()))
  })

  check('a released volume can be prepared again', async (fixture, request) => {
    const wanted = await request(fixture.spec())
    const first = await fixture.provider.prepare(wanted)
    await fixture.provider.release(wanted)
    assert.deepEqual(await fixture.provider.prepare(wanted), first)
  })

  check('what outlives jobs is listed with its users, and removed only without them', async (fixture, request) => {
    const wanted = await request(fixture.spec())
    await fixture.provider.prepare(wanted)
    for (const { owner, name, users } of await fixture.provider.list()) {
      assert.deepEqual([owner, users], [wanted.owner, [wanted.id]])
      await assert.rejects(
        fixture.provider.remove({ owner, name }),
        (error: unknown) => error instanceof DmsError && error.code === 'STORAGE_IN_USE'
      )
    }
    await fixture.provider.release(wanted)
    for (const volume of await fixture.provider.list()) assert.equal(await fixture.reopen().remove(volume), true)
    assert.deepEqual(await fixture.provider.list(), [])
  })
}
