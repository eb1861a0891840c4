import { ExecutorStartFailedError } from '../errors.ts'
import { readFromLayers } from './layered-files.ts'

/** Who the program is inside. */
export interface User {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
  readonly home: string
}

const NUMBER = /^\d{1,9}$/

/**
 * Finds who `user` is by the tables of the image: `name`, `uid`, `name:group`, `uid:gid`; empty means root.
 *
 * @throws ExecutorStartFailedError for a name that the image does not know.
 */
export async function findUser(layers: readonly string[], user: string): Promise<User> {
  const [name = '', group] = user.split(':')
  const accounts = tableOf(await readFromLayers(layers, '/etc/passwd'))
  const groups = tableOf(await readFromLayers(layers, '/etc/group'))
  const account = accounts.find(([login, , uid]) => (NUMBER.test(name) ? uid === name : login === (name === '' ? 'root' : name)))
  const uid = NUMBER.test(name) ? Number(name) : name === '' ? 0 : numberOf(account?.[2])
  if (uid === undefined) throw new ExecutorStartFailedError(`the image has no user ${JSON.stringify(name)}`)
  const gid = group === undefined || group === '' ? (numberOf(account?.[3]) ?? 0) : groupOf(groups, group)
  const login = account?.[0]
  const additional = groups.flatMap(([, , id, members = '']) => {
    const isMember = group === undefined && login !== undefined && members.split(',').includes(login)
    const number = numberOf(id)
    return isMember && number !== undefined && number !== gid ? [number] : []
  })
  return { uid, gid, additionalGids: additional.slice(0, 64), home: account?.[5]?.startsWith('/') === true ? account[5] : '/' }
}

function groupOf(groups: readonly (readonly string[])[], group: string): number {
  const found = NUMBER.test(group) ? Number(group) : numberOf(groups.find(([name]) => name === group)?.[2])
  if (found === undefined) throw new ExecutorStartFailedError(`the image has no group ${JSON.stringify(group)}`)
  return found
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && NUMBER.test(text) ? Number(text) : undefined
}

function tableOf(text: string): readonly (readonly string[])[] {
  return text.split('\n').map((line) => line.split(':'))
}
