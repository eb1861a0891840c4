import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findOpenAccess } from './file-access.ts'

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dms-access-'))
  path = join(directory, 'file')
  await writeFile(path, '')
})

afterEach(() => rm(directory, { recursive: true }))

describe('findOpenAccess', () => {
  test('names everybody, and the command that shuts them out', async () => {
    await chmod(path, 0o666)
    expect(await findOpenAccess(path)).toEqual({ path, writer: 'everybody', mode: '0666', remedy: `chmod go-w ${path}` })
  })

  test('names the file behind a link', async () => {
    await chmod(path, 0o602)
    await symlink(path, `${path}.link`)
    expect(await findOpenAccess(`${path}.link`)).toMatchObject({ path, mode: '0602' })
  })

  test('names a directory in which everybody can replace the file, unless it is sticky', async () => {
    const open = join(directory, 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    expect(await findOpenAccess(join(open, 'none'))).toBeUndefined()
    await writeFile(join(open, 'file'), '')
    expect(await findOpenAccess(join(open, 'file'))).toMatchObject({ path: open, remedy: `chmod o-w ${open}` })
    await chmod(open, 0o1777)
    expect(await findOpenAccess(join(open, 'file'))).toBeUndefined()
  })

  test.skipIf(process.getuid?.() !== 0)('names a group, unless it has the number of the owner', async () => {
    await chmod(path, 0o660)
    await chown(path, 12_345, 12_346)
    expect(await findOpenAccess(path)).toMatchObject({ writer: 'the group 12346', remedy: `chmod g-w ${path}` })
    await chown(path, 12_345, 12_345)
    expect(await findOpenAccess(path)).toBeUndefined()
  })

  test('finds nothing where only the owner can write, or nothing is', async () => {
    await chmod(path, 0o644)
    expect(await findOpenAccess(path)).toBeUndefined()
    expect(await findOpenAccess(join(path, 'below'))).toBeUndefined()
  })
})
