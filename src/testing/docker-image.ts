import { access, readFile } from 'node:fs/promises'
import { request } from 'node:http'

/** The image that {@link loadBusyboxImage} makes. */
export const BUSYBOX_IMAGE = 'nunet-test/busybox:latest'

const BUSYBOX = '/bin/busybox'
/** The commands that tests use; each is a link to the one program. */
const APPLETS: readonly string[] = [
  'sh',
  'echo',
  'cat',
  'sleep',
  'env',
  'id',
  'httpd',
  'nc',
  'wget',
  'ls',
  'head',
  'yes',
  'touch',
  'true',
  'false',
  'seq'
]
const BLOCK = 512

/**
 * Makes an image of a static busybox (package `busybox-static`) inside the daemon, without a registry; keeps one that is there.
 *
 * @throws Error when there is no `/bin/busybox` or the daemon refuses.
 */
export async function loadBusyboxImage(socketPath: string): Promise<void> {
  if ((await call(socketPath, 'GET', `/images/${BUSYBOX_IMAGE}/json`, Buffer.alloc(0))).status === 200) return
  await access(BUSYBOX)
  const archive = Buffer.concat([
    tarEntry('bin/', '5', '', Buffer.alloc(0)),
    tarEntry('tmp/', '5', '', Buffer.alloc(0)),
    tarEntry('bin/busybox', '0', '', await readFile(BUSYBOX)),
    ...APPLETS.map((name) => tarEntry(`bin/${name}`, '2', 'busybox', Buffer.alloc(0))),
    Buffer.alloc(2 * BLOCK)
  ])
  const [repository = '', tag = ''] = BUSYBOX_IMAGE.split(':')
  const query = new URLSearchParams({ fromSrc: '-', repo: repository, tag })
  const { status, body } = await call(socketPath, 'POST', `/images/create?${query.toString()}`, archive)
  if (status !== 200 || body.includes('"error"')) throw new Error(`Docker does not take the image: ${status} ${body}`)
}

/** One entry of a POSIX archive: `type` is 0 for a file, 2 for a symbolic link, 5 for a directory. */
function tarEntry(name: string, type: '0' | '2' | '5', link: string, content: Buffer): Buffer {
  const header = Buffer.alloc(BLOCK)
  const mode = name === 'tmp/' ? 0o1777 : 0o755
  header.write(name, 0)
  for (const [value, offset, digits] of [
    [mode, 100, 7],
    [0, 108, 7],
    [0, 116, 7],
    [content.length, 124, 11],
    [0, 136, 11]
  ] as const) {
    header.write(value.toString(8).padStart(digits, '0'), offset)
  }
  header.write('        ', 148) // the checksum counts its own field as spaces
  header.write(type, 156)
  header.write(link, 157)
  header.write('ustar\u000000', 257)
  const checksum = header.reduce((sum, byte) => sum + byte, 0)
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148)
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
  return Buffer.concat([header, content, padding])
}

function call(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  content: Buffer
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, method, agent: false, headers: { 'content-type': 'application/x-tar' } })
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        body += part
      })
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    outgoing.end(content)
  })
}
