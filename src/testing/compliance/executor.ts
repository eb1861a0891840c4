import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytes, DmsError, millis } from '../../base/index.ts'
import type { Executor, LogChunk, RunHandle, Workload } from '../../executor/index.ts'

/** Kinds of workload that every driver must be able to make. */
export type WorkloadKind =
  /** Prints {@link HELLO} on stdout and exits with 0. */
  | 'hello'
  /** Exits with 3. */
  | 'exit3'
  /** Runs until it is stopped. */
  | 'sleep'
  /** Prints `out 1` to `out 500` on stdout and `err 1` to `err 500` on stderr, a line each, and exits with 0. */
  | 'noisy'

/** What the workload `hello` prints. */
export const HELLO = 'hello\n'
/** Lines that the workload `noisy` prints on each stream. */
export const NOISY_LINES = 500

/** One driver on one machine. */
export interface ExecutorFixture {
  readonly executor: Executor
  /** A workload with an id that was not used before. */
  workload(kind: WorkloadKind): Promise<Workload>
  /**
   * A workload that runs a script of a POSIX shell, for drivers whose workloads have one: what their features promise is checked with
   * it.
   */
  readonly shell?: (script: string) => Promise<Workload>
  /** A workload that must be refused, and the field that the refusal must name. */
  invalid(): Promise<{ readonly workload: Workload; readonly field: string }>
  /** Another executor over the same machine, as after a restart of the daemon. */
  reopen(): Executor
  /** Removes everything. */
  dispose(): Promise<void>
}

/** What {@link executorCompliance} needs of a test runner. */
export interface ExecutorComplianceOptions {
  readonly test: (name: string, work: () => Promise<void>) => void
  readonly create: () => Promise<ExecutorFixture>
}

const LONG_GRACE = millis(3000)

/** The behavior that the rest of the system relies on, whatever runs the workloads. */
export function executorCompliance({ test, create }: ExecutorComplianceOptions): void {
  function check(name: string, work: (fixture: ExecutorFixture) => Promise<void>): void {
    test(name, async () => {
      const fixture = await create()
      try {
        await work(fixture)
      } finally {
        for (const { handle } of await fixture.executor.list()) await fixture.executor.remove(handle)
        await fixture.dispose()
      }
    })
  }
  checkStarting(check)
  checkEnding(check)
  checkOutput(check)
  checkRecovery(check)
  checkFeatures(check)
  checkPreparation(check)
  checkCommands(check)
}

type Check = (name: string, work: (fixture: ExecutorFixture) => Promise<void>) => void

function checkStarting(check: Check): void {
  check('a bad description is refused by the name of its field, by check and by start', async ({ executor, invalid }) => {
    const { workload, field } = await invalid()
    const isRefusal = (error: unknown): boolean =>
      error instanceof DmsError && error.code === 'EXECUTOR_BAD_SPEC' && error.message.includes(field)
    await assert.rejects(async () => await executor.check(workload), isRefusal)
    await assert.rejects(executor.start(workload), isRefusal)
    assert.deepEqual(await executor.list(), [])
  })

  check('a start whose signal is aborted already starts nothing that stays unknown', async ({ executor, workload }) => {
    const sleeper = await workload('sleep')
    await assert.rejects(executor.start(sleeper, { signal: AbortSignal.abort() }))
    for (const { handle } of await executor.list()) await executor.remove(handle)
    const handle = await executor.start(sleeper)
    assert.equal(await executor.recover(handle), true)
  })

  check('an executor that is there says so with its version', async ({ executor }) => {
    const probe = await executor.probe()
    assert.ok(probe.available && probe.version.length > 0)
  })

  check('a good description passes the check without an effect', async ({ executor, workload }) => {
    await executor.check(await workload('hello'))
    assert.deepEqual(await executor.list(), [])
  })

  check('a second start of the same id gives the handle of the first', async ({ executor, reopen, workload }) => {
    const sleeper = await workload('sleep')
    const starts = await Promise.allSettled([executor.start(sleeper), reopen().start(sleeper), executor.start(sleeper)])
    const handle = await reopen().start(sleeper)
    assert.deepEqual(
      starts,
      Array.from({ length: 3 }, () => ({ status: 'fulfilled', value: handle }))
    )
    assert.equal((await executor.list()).length, 1)
  })

  check('an ended workload is not started again', async ({ executor, workload }) => {
    const failing = await workload('exit3')
    const handle = await executor.start(failing)
    await executor.wait(handle)
    assert.equal(await executor.start(failing), handle)
    assert.deepEqual(await executor.wait(handle), { type: 'exited', code: 3 })
  })
}

function checkEnding(check: Check): void {
  check('the exit code is given to every waiter, before and after the end and after a restart', async (fixture) => {
    const { executor, reopen, workload } = fixture
    const handle = await executor.start(await workload('exit3'))
    const expected = { type: 'exited', code: 3 }
    assert.deepEqual(await Promise.all([executor.wait(handle), executor.wait(handle)]), [expected, expected])
    assert.deepEqual(await executor.wait(handle), expected)
    assert.deepEqual(await reopen().wait(handle), expected)
  })

  check('a wait can be given up without ending the workload', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('sleep'))
    const controller = new AbortController()
    const waiting = executor.wait(handle, { signal: controller.signal })
    controller.abort()
    await assert.rejects(waiting, (error: unknown) => error instanceof DmsError && error.kind === 'cancelled')
    assert.notDeepEqual(await executor.usage(handle), {})
  })

  check('a stop ends a workload that would not end by itself, and may be repeated', async ({ executor, reopen, workload }) => {
    const handle = await executor.start(await workload('sleep'))
    const waiting = executor.wait(handle)
    await executor.stop(handle, LONG_GRACE)
    assert.equal((await waiting).type, 'killed')
    await executor.stop(handle, LONG_GRACE)
    assert.equal((await reopen().wait(handle)).type, 'killed')
    assert.equal(await executor.recover(handle), true)
  })

  check('a stop without grace kills at once', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('sleep'))
    await executor.stop(handle, millis(0))
    assert.equal((await executor.wait(handle)).type, 'killed')
  })

  check('a stop after the end changes nothing', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('exit3'))
    await executor.wait(handle)
    await executor.stop(handle, LONG_GRACE)
    assert.deepEqual(await executor.wait(handle), { type: 'exited', code: 3 })
  })

  check('a removal stops, leaves no trace and may be repeated', async ({ executor, reopen, workload }) => {
    const sleeper = await workload('sleep')
    const handle = await executor.start(sleeper)
    const waiting = executor.wait(handle)
    await executor.remove(handle)
    assert.notEqual((await waiting).type, 'exited')
    await executor.remove(handle)
    assert.equal(await executor.recover(handle), false)
    assert.equal((await executor.wait(handle)).type, 'lost')
    assert.deepEqual(await reopen().list(), [])
    await executor.stop(handle, LONG_GRACE)
    const again = await executor.start(sleeper)
    assert.equal(await executor.recover(again), true)
  })
}

function checkOutput(check: Check): void {
  check('the output of a short run is all there', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('hello'))
    await executor.wait(handle)
    const { stdout } = await collect(executor.logs(handle))
    assert.equal(stdout, HELLO)
  })

  check('following the output gives every line in order and ends with the workload', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('noisy'))
    const followed = await collect(executor.logs(handle, { follow: true }))
    assert.equal(followed.stdout, numbered('out'))
    assert.equal(followed.stderr, numbered('err'))
    assert.deepEqual(await collect(executor.logs(handle)), followed)
    assert.deepEqual(await executor.wait(handle), { type: 'exited', code: 0 })
  })

  check('reading without following ends while the workload goes on', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('sleep'))
    assert.deepEqual(await collect(executor.logs(handle)), { stdout: '', stderr: '' })
  })

  check('a reader that stops following leaves the workload alone', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('sleep'))
    const controller = new AbortController()
    const following = collect(executor.logs(handle, { follow: true, signal: controller.signal }))
    controller.abort()
    await assert.rejects(following, (error: unknown) => error instanceof DmsError && error.kind === 'cancelled')
    assert.notDeepEqual(await executor.usage(handle), {})
  })

  check('the output of an unknown workload is an error, its use is too', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('hello'))
    await executor.remove(handle)
    const isUnknown = (error: unknown): boolean => error instanceof DmsError && error.kind === 'not-found'
    await assert.rejects(collect(executor.logs(handle)), isUnknown)
    await assert.rejects(executor.usage(handle), isUnknown)
  })
}

function checkRecovery(check: Check): void {
  check('a restarted daemon recovers a running workload and may wait for, read and stop it', async (fixture) => {
    const { executor, reopen, workload } = fixture
    const handle = await executor.start(await workload('sleep'))
    const restarted = reopen()
    assert.equal(await restarted.recover(handle), true)
    const waiting = restarted.wait(handle)
    await restarted.stop(handle, LONG_GRACE)
    assert.equal((await waiting).type, 'killed')
    assert.equal((await executor.wait(handle)).type, 'killed')
  })

  check('a handle that never was is not recovered', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('hello'))
    await executor.remove(handle)
    assert.equal(await executor.recover(handle), false)
  })

  check('the list has every workload, running and ended, also after a restart', async ({ executor, reopen, workload }) => {
    const workloads = [await workload('sleep'), await workload('exit3')]
    const handles = await Promise.all(workloads.map((each) => executor.start(each)))
    await executor.wait(handles[1] ?? assert.fail())
    const expected = workloads.map(({ id }, index) => ({ id, handle: handles[index] }))
    assert.deepEqual(byId(await executor.list()), byId(expected))
    assert.deepEqual(byId(await reopen().list()), byId(expected))
  })

  check('workloads run beside each other and end each for itself', async ({ executor, workload }) => {
    const sleeper = await executor.start(await workload('sleep'))
    const failing = await executor.start(await workload('exit3'))
    const hello = await executor.start(await workload('hello'))
    assert.deepEqual(await executor.wait(failing), { type: 'exited', code: 3 })
    assert.deepEqual(await executor.wait(hello), { type: 'exited', code: 0 })
    assert.notDeepEqual(await executor.usage(sleeper), {})
  })

  check('an ended workload uses nothing', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('exit3'))
    await executor.wait(handle)
    assert.deepEqual(await executor.usage(handle), {})
  })
}

function checkFeatures(check: Check): void {
  check('what the executor does not give to workloads is refused before anything is done', async ({ executor, workload }) => {
    const hello = await workload('hello')
    for (const [name, request] of Object.entries(REQUESTS)) {
      if (executor.features[name as keyof typeof REQUESTS]) continue
      await assert.rejects(
        executor.start({ ...hello, ...request }),
        (error: unknown) => error instanceof DmsError && error.kind === 'invalid',
        name
      )
    }
    assert.deepEqual(await executor.list(), [])
  })

  check('a start tells its progress, if at all, before it ends', async ({ executor, workload }) => {
    let isStarted = false
    await executor.start(await workload('hello'), {
      onProgress: ({ step }) => {
        assert.ok(step.length > 0 && !isStarted)
      }
    })
    isStarted = true
  })
}

const REQUESTS = {
  ports: { ports: [{ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 40_000, port: 80 }] },
  mounts: { mounts: [{ source: '/tmp', target: '/data', isReadOnly: true }] },
  files: { files: [{ path: '/etc/key', content: new Uint8Array([1]), mode: 0o600 }] },
  scripts: { scripts: [{ name: 'first', content: new Uint8Array([35, 10]) }] },
  gpus: { gpus: [{ vendor: 'nvidia', uuid: 'GPU-0', devices: [] }] }
} as const

/** What is put into a workload before its program runs; of drivers with a shell. */
function checkPreparation(check: Check): void {
  check('scripts run in order before the program, in the same inside', async ({ executor, shell }) => {
    if (shell === undefined || !executor.features.scripts) return
    const workload = await shell('cat /tmp/trace; echo program')
    const scripts = [script('second-by-name', 'echo one > /tmp/trace'), script('a', '#!/bin/sh\necho two >> /tmp/trace\n')]
    const handle = await executor.start({ ...workload, scripts })
    assert.deepEqual(await executor.wait(handle), { type: 'exited', code: 0 })
    assert.equal((await collect(executor.logs(handle))).stdout, 'one\ntwo\nprogram\n')
  })

  check('a script that fails ends the workload with its code, and nothing after it runs', async ({ executor, shell }) => {
    if (shell === undefined || !executor.features.scripts) return
    const scripts = [script('fails', 'echo tried; exit 7'), script('never', 'echo never')]
    const handle = await executor.start({ ...(await shell('echo never')), scripts })
    assert.deepEqual(await executor.wait(handle), { type: 'exited', code: 7 })
    assert.equal((await collect(executor.logs(handle))).stdout, 'tried\n')
  })

  check('files are inside with their content and mode before anything runs', async ({ executor, shell }) => {
    if (shell === undefined || !executor.features.files) return
    const files = [{ path: '/etc/keys/secret key', content: Buffer.from('opened\n'), mode: 0o600 }]
    const workload = await shell('cat "/etc/keys/secret key"; stat -c %a "/etc/keys/secret key"')
    const handle = await executor.start({ ...workload, files })
    assert.deepEqual(await executor.wait(handle), { type: 'exited', code: 0 })
    assert.equal((await collect(executor.logs(handle))).stdout, 'opened\n600\n')
  })

  check('a mounted directory is written where that is allowed, and only there', async ({ executor, shell }) => {
    if (shell === undefined || !executor.features.mounts) return
    const directory = await mkdtemp(join(tmpdir(), 'compliance-'))
    try {
      await Promise.all(['in', 'out'].map((name) => mkdir(join(directory, name))))
      await writeFile(join(directory, 'in', 'given'), 'given\n')
      const workload = await shell('cat /in/given; cp /in/given /out/taken; (echo x > /in/given) 2>/dev/null || echo refused')
      const mounts = [
        { source: join(directory, 'in'), target: '/in', isReadOnly: true },
        { source: join(directory, 'out'), target: '/out', isReadOnly: false }
      ]
      const handle = await executor.start({ ...workload, mounts })
      assert.deepEqual(await executor.wait(handle), { type: 'exited', code: 0 })
      assert.equal((await collect(executor.logs(handle))).stdout, 'given\nrefused\n')
      assert.equal(await readFile(join(directory, 'out', 'taken'), 'utf8'), 'given\n')
      await executor.remove(handle)
      assert.equal(await readFile(join(directory, 'out', 'taken'), 'utf8'), 'given\n')
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
}

/** Commands inside of a running workload; of drivers with a shell. */
function checkCommands(check: Check): void {
  check('a command inside of nothing is an error', async ({ executor, workload }) => {
    const handle = await executor.start(await workload('exit3'))
    await executor.wait(handle)
    const isRefused = (error: unknown): boolean => error instanceof DmsError
    await assert.rejects(executor.exec(handle, ['true'], { maxOutput: bytes(100) }), isRefused)
    await executor.remove(handle)
    await assert.rejects(executor.exec(handle, ['true'], { maxOutput: bytes(100) }), isRefused)
  })

  check('a command inside gives its code and its output, cut where it is too long', async ({ executor, shell }) => {
    if (shell === undefined || !executor.features.exec) return
    const handle = await executor.start(await shell('echo inside > /tmp/mark; sleep 600'))
    const run = (command: string, maxOutput = 1000) =>
      executor.exec(handle, ['sh', '-c', command], { maxOutput: bytes(maxOutput) })
    const { code, output, isCut } = await run('until test -s /tmp/mark; do sleep 0.1; done; cat /tmp/mark; exit 5')
    assert.deepEqual([code, Buffer.from(output).toString('utf8'), isCut], [5, 'inside\n', false])
    const long = await run('i=0; while [ $i -lt 2000 ]; do echo $i; i=$((i+1)); done', 64)
    assert.deepEqual([long.code, long.output.length, long.isCut], [0, 64, true])
  })

  check('a command inside that lasts too long ends with its signal, and the workload goes on', async ({ executor, shell }) => {
    if (shell === undefined || !executor.features.exec) return
    const handle = await executor.start(await shell('sleep 600'))
    const limit = { maxOutput: bytes(100), signal: AbortSignal.timeout(1500) }
    await assert.rejects(
      executor.exec(handle, ['sleep', '500'], limit),
      (error: unknown) => error instanceof DmsError && error.kind === 'cancelled'
    )
    assert.notDeepEqual(await executor.usage(handle), {})
  })
}

function script(name: string, text: string): { readonly name: string; readonly content: Uint8Array } {
  return { name, content: Buffer.from(text) }
}

/** All output by stream; fails when there is more than 16 MiB. */
async function collect(chunks: AsyncIterable<LogChunk>): Promise<{ stdout: string; stderr: string }> {
  const parts: { stdout: Uint8Array[]; stderr: Uint8Array[] } = { stdout: [], stderr: [] }
  let total = 0
  for await (const { stream, data } of chunks) {
    total += data.length
    assert.ok(total <= 2 ** 24, 'more output than any of these workloads makes')
    parts[stream].push(data)
  }
  return { stdout: Buffer.concat(parts.stdout).toString('utf8'), stderr: Buffer.concat(parts.stderr).toString('utf8') }
}

function numbered(word: string): string {
  return Array.from({ length: NOISY_LINES }, (_, index) => `${word} ${index + 1}\n`).join('')
}

function byId<T extends { readonly id: string; readonly handle: RunHandle | undefined }>(items: readonly T[]): T[] {
  return items.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}
