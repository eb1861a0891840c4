import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, copyFile, cp, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requirement } from '../../src/testing/requirements.ts'
import { createDebianRoot, type DebianRoot } from '../support/debian.ts'
import { eventually, freePort } from '../support/machine.ts'
import {
  ARM64_LIBRARIES,
  all,
  debPath,
  HOST_ARCHITECTURE,
  hasFile,
  hasPrograms,
  isFresh,
  isRoot,
  VERSION
} from '../support/packages.ts'

const run = promisify(execFile)
const UPGRADE = `${VERSION}+upgrade`
const HOME = '/var/lib/nunet'

const deb = await requirement('deb', () =>
  all(
    isRoot(),
    hasPrograms('debootstrap', 'dpkg-deb', 'unshare', 'chroot'),
    isFresh(debPath(HOST_ARCHITECTURE), 'make deb'),
    isFresh(debPath('arm64'), 'make deb')
  )
)
const emulator = await requirement('qemu', () =>
  all(
    hasPrograms('dpkg-deb', 'qemu-aarch64-static'),
    hasFile(`${ARM64_LIBRARIES}/lib/libc.so.6`),
    isFresh(debPath('arm64'), 'make deb')
  )
)
const systemd = await requirement('systemd', () => hasPrograms('systemd-analyze'))

describe.skipIf(!deb.available)(deb.title('the package in a clean Debian without Node'), () => {
  let root: DebianRoot
  let daemon: ChildProcess | undefined
  let user = ''
  const port = freePort()

  beforeAll(async () => {
    root = await createDebianRoot()
    await copyFile(debPath(HOST_ARCHITECTURE), join(root.directory, 'tmp/nunet-dms.deb'))
  }, 300_000)

  afterAll(async () => {
    await stop()
    await root.dispose()
    expect(await readFile('/proc/mounts', 'utf8')).not.toContain(root.directory)
  })

  /** As a person, with a passphrase in the environment. */
  const person = (line: string) => root.sh(`DMS_PASSPHRASE=mine nunet ${line}`)

  /** As the unit runs it: as the user of the service, with the one capability, and the passphrase in a file as systemd lays it. */
  const service = (line: string) =>
    [
      'install -m 0400 -o nunet /etc/nunet/dms-passphrase /run/dms-passphrase &&',
      `cd ${HOME} && HOME=${HOME} DMS_PASSPHRASE_FILE=/run/dms-passphrase exec setpriv`,
      '--reuid=nunet --regid=nunet --init-groups --bounding-set=-all,+net_admin --inh-caps=-all,+net_admin',
      `--ambient-caps=-all,+net_admin --no-new-privs nunet --config ${HOME}/.nunet/dms_config.json ${line}`
    ].join(' ')

  async function stop(): Promise<void> {
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return
    const closed = once(daemon, 'close')
    daemon.kill('SIGTERM')
    await closed
  }

  const exists = (path: string): Promise<boolean> =>
    access(join(root.directory, path)).then(
      () => true,
      () => false
    )

  /** What the owner must never lose. */
  const data = () =>
    root.sh(`cd ${HOME}/.nunet && cat key/dms.json cap/dms.cap dms_config.json /etc/nunet/dms-passphrase && stat -c %U:%a:%n .`)

  test('installs, with a user of its own and an enabled service that waits for an identity', async () => {
    const said = await root.sh('command -v node && exit 1; dpkg -i /tmp/nunet-dms.deb')
    expect(said).toContain('sudo /usr/lib/nunet-dms/first-run <the DID that was printed>')
    expect(await root.sh('getent passwd nunet')).toContain(`:${HOME}:/usr/sbin/nologin`)
    expect(await root.sh(`stat -c %U:%G:%a ${HOME} ${HOME}/.nunet`)).toBe('nunet:nunet:750\nnunet:nunet:700\n')
    expect(await root.sh('readlink /etc/systemd/system/multi-user.target.wants/nunet.service')).toBe(
      '/lib/systemd/system/nunet.service\n'
    )
  })

  test('nunet version answers in the form that clients read', async () => {
    expect(await root.sh('nunet version')).toMatch(new RegExp(`^Version: ${VERSION.replaceAll('.', '\\.')}$`, 'm'))
  })

  test('key new and cap new make an identity for a person', async () => {
    user = (await person('key new user')).trim()
    expect(user).toMatch(/^did:key:z6Mk/)
    await person('cap new user')
    expect((await person('key did user')).trim()).toBe(user)
  })

  test('first-run refuses what is no DID, and makes the identity of the service once', async () => {
    await expect(root.sh('/usr/lib/nunet-dms/first-run somebody')).rejects.toMatchObject({ code: 2 })
    expect(await exists('/etc/nunet/dms-passphrase')).toBe(false)
    await root.sh(`/usr/lib/nunet-dms/first-run ${user}`)
    expect(await root.sh('stat -c %U:%a /etc/nunet/dms-passphrase')).toBe('root:600\n')
    expect(await root.sh(`stat -c %U:%a ${HOME}/.nunet/key/dms.json ${HOME}/.nunet/cap/dms.cap`)).toBe('nunet:600\nnunet:600\n')
    const before = await data()
    await root.sh(`/usr/lib/nunet-dms/first-run ${user}`)
    expect(await data()).toBe(before)
  })

  test('run serves as the user nunet with nothing but CAP_NET_ADMIN, and the person commands it', async () => {
    const config = join(root.directory, HOME, '.nunet/dms_config.json')
    const settings = JSON.parse(await readFile(config, 'utf8')) as object
    const rest = { port: await port }
    const p2p = { listen_address: ['/ip4/127.0.0.1/tcp/0'], bootstrap_peers: [] }
    await writeFile(config, JSON.stringify({ ...settings, rest, p2p }))
    const [command, args] = root.enter(service('run -c dms'))
    daemon = spawn(command, args, { stdio: 'ignore' })
    await eventually('the start of the daemon', 60, async () =>
      (await fetch(`http://127.0.0.1:${await port}/health`)).ok ? true : undefined
    )
    const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8')
    expect(status).toMatch(/^CapEff:\t0000000000001000$/m)
    expect(status).not.toMatch(/^Uid:\t0\t/m)
    expect(await readFile(`/proc/${daemon.pid}/maps`, 'utf8')).toContain('/usr/lib/nunet-dms/native/sqlite.node')
    const reply = await person(`--rest-port ${await port} actor cmd /dms/node/peers/self`)
    expect(JSON.parse(reply)).toMatchObject({ id: expect.stringMatching(/^12D3/) as string })
  })

  test('an upgrade keeps all data and leaves the daemon alone', async () => {
    const before = await data()
    await rebuild(join(root.directory, 'tmp'), UPGRADE)
    await root.sh('dpkg -i /tmp/upgrade.deb')
    expect(await root.sh('dpkg -s nunet-dms')).toMatch(/^Status: install ok installed\n(.+\n)*Version: .*\+upgrade$/m)
    expect(await data()).toBe(before)
    expect(daemon?.exitCode).toBeNull()
    await person(`--rest-port ${await port} actor cmd /dms/node/peers/self`)
  })

  test('removal keeps the data and takes the programs', async () => {
    await stop()
    const before = await data()
    await root.sh('dpkg --remove nunet-dms')
    expect(await data()).toBe(before)
    for (const path of ['/usr/bin/nunet', '/usr/lib/nunet-dms', '/lib/systemd/system/nunet.service']) {
      expect(await exists(path), path).toBe(false)
    }
  })

  test('an installation after that finds the data again', async () => {
    const before = await data()
    await root.sh('dpkg -i /tmp/nunet-dms.deb')
    expect(await data()).toBe(before)
    expect((await root.sh(service('key did dms'))).trim()).toMatch(/^did:key:z6Mk/)
  })

  test('a link in place of its directory does not lead root astray when the package is configured again', async () => {
    const before = await data()
    const configure = `/var/lib/dpkg/info/nunet-dms.postinst configure ${VERSION}`
    const outcome = await root.sh(
      `cd ${HOME} && mv .nunet kept && ln -s /etc .nunet && chown -h nunet:nunet .nunet
      ${configure} >/dev/null 2>&1 && echo done || echo refused
      ls /etc | grep dms_config || echo nothing
      rm .nunet && mv kept .nunet && ${configure}`
    )
    expect(outcome).toBe('refused\nnothing\n')
    expect(await data()).toBe(before)
  })

  test('purging takes everything: data, passphrase, user and group', async () => {
    await root.sh('touch /etc/nunet/dms-passphrase.a1B2c3') // first-run was killed before it had renamed the file
    await root.sh('dpkg --purge nunet-dms')
    for (const path of [HOME, '/etc/nunet', '/usr/bin/nunet']) expect(await exists(path), path).toBe(false)
    await expect(root.sh('getent passwd nunet || getent group nunet')).rejects.toMatchObject({ code: 2 })
    expect(await root.sh('find /etc/systemd /var/lib/systemd -name "nunet*"')).toBe('')
    expect(await exists('/root/.nunet/key/user.json')).toBe(true)
  })
})

/** The same package with another version, and quickly: nothing is compressed. */
async function rebuild(directory: string, version: string): Promise<void> {
  const work = join(directory, 'upgrade')
  await run('dpkg-deb', ['--raw-extract', join(directory, 'nunet-dms.deb'), work])
  const control = join(work, 'DEBIAN/control')
  await writeFile(control, (await readFile(control, 'utf8')).replace(/^Version: .*$/m, `Version: ${version}`))
  await run('dpkg-deb', ['--root-owner-group', '-Znone', '--build', work, join(directory, 'upgrade.deb')])
}

/** The value of ELF's `e_machine`. */
async function machineOf(path: string): Promise<number> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(20), 0, 20, 0)
    expect(buffer.subarray(0, 4).toString('latin1')).toBe('\x7fELF')
    return buffer.readUInt16LE(18)
  } finally {
    await file.close()
  }
}

describe.skipIf(!deb.available)(deb.title('the packages of both architectures'), () => {
  const unpacked: string[] = []
  afterAll(() => Promise.all(unpacked.map((directory) => rm(directory, { recursive: true, force: true }))))

  test.each([
    ['amd64', 62],
    ['arm64', 183]
  ])(
    '%s has the programs of its architecture, the unit and the documentation, all owned by root',
    async (architecture, machine) => {
      const field = async (name: string) => (await run('dpkg-deb', ['-f', debPath(architecture), name])).stdout.trim()
      expect([await field('Package'), await field('Architecture'), await field('Version')]).toEqual([
        'nunet-dms',
        architecture,
        VERSION
      ])
      expect(await field('Depends')).not.toMatch(/node|docker|libsystemd/)
      const list = (await run('dpkg-deb', ['-c', debPath(architecture)])).stdout
      expect(list.split('\n').filter((line) => line !== '' && !line.includes(' root/root '))).toEqual([])
      expect(list.split('\n').filter((line) => /^.....w|^........w/.test(line))).toEqual([])
      const directory = await mkdtemp(join(tmpdir(), 'nunet-deb-'))
      unpacked.push(directory)
      await run('dpkg-deb', ['-x', debPath(architecture), directory])
      for (const path of ['usr/bin/nunet', 'usr/lib/nunet-dms/native/sqlite.node']) {
        expect(await machineOf(join(directory, path)), path).toBe(machine)
      }
      for (const path of [
        'lib/systemd/system/nunet.service',
        'lib/udev/rules.d/70-nunet-ledger.rules',
        'usr/lib/nunet-dms/first-run',
        'usr/share/bash-completion/completions/nunet',
        'usr/share/zsh/vendor-completions/_nunet',
        'usr/share/fish/vendor_completions.d/nunet.fish',
        'usr/share/man/man1/nunet.1.gz',
        'usr/share/man/man1/nunet-cap.1.gz',
        'usr/share/man/man5/dms_config.json.5.gz'
      ]) {
        await access(join(directory, path))
      }
      for (const name of ['copyright', 'changelog.gz', 'README.md', 'third-party-licences.gz']) {
        await access(join(directory, 'usr/share/doc/nunet-dms', name))
      }
    }
  )
})

describe.skipIf(!emulator.available)(emulator.title('the arm64 package under emulation'), () => {
  test('tells its version and makes a key', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nunet-arm64-'))
    try {
      await run('dpkg-deb', ['-x', debPath('arm64'), directory])
      const nunet = async (...args: readonly string[]) =>
        (
          await run('qemu-aarch64-static', ['-L', ARM64_LIBRARIES, join(directory, 'usr/bin/nunet'), ...args], {
            env: { HOME: directory, DMS_PASSPHRASE: 'mine' }
          })
        ).stdout
      expect(await nunet('version')).toContain(`Version: ${VERSION}`)
      const did = await nunet('key', 'new', 'dms')
      expect(did).toMatch(/^did:key:z6Mk/)
      expect(await nunet('key', 'did', 'dms')).toBe(did)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})

describe.skipIf(!systemd.available)(systemd.title('the unit'), () => {
  const SOURCE = new URL('../../packaging/deb/nunet.service', import.meta.url)

  test('is understood by systemd, down to the last directive', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nunet-unit-'))
    try {
      const unit = join(directory, 'nunet.service')
      await cp(SOURCE, unit)
      // What is only there once the package is installed.
      const text = (await readFile(unit, 'utf8'))
        .replace('ExecStart=/usr/bin/nunet', 'ExecStart=/bin/true')
        .replace(/^Docu.*$/m, '')
      await writeFile(unit, text)
      const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', unit])
      expect(stdout + stderr).not.toContain('nunet.service')
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  test('exposes less than 2.5 of 10 by the count of systemd', async () => {
    const path = SOURCE.pathname
    await run('systemd-analyze', ['security', '--no-pager', '--offline=true', '--threshold=25', path])
  })
})
