import { request } from 'node:http'
import { type AbortOptions, CancelledError, decodeHex, encodeHex, isJsonObject, parseJson } from '../base/index.ts'
import { type ApduTransport, MAX_ANSWER } from './apdu.ts'
import { BadWalletAnswerError, BadWalletSettingError, WalletGoneError } from './errors.ts'

/** The variable that names Ledger's emulator (Speculos), such as `http://127.0.0.1:5000`. */
export const EMULATOR_VARIABLE = 'DMS_LEDGER_SPECULOS'

/** This machine only: whoever is asked in a wallet's place sees every token that is signed. */
const LOOPBACK: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/** Two digits a byte, and the JSON around them. */
const MAX_BODY = 2 * MAX_ANSWER + 1024

/**
 * The line to Ledger's emulator, which takes each APDU as `POST /apdu {"data":"<hex>"}` and answers in the same form.
 *
 * @throws BadWalletSettingError when `url` is not of this machine.
 */
export function createEmulatorTransport(url: string): ApduTransport {
  const base = parseLoopback(url)
  return {
    async exchange(apdu, options) {
      return parseAnswer(await post(new URL('/apdu', base), JSON.stringify({ data: encodeHex(apdu) }), options))
    },
    close: async () => undefined
  }
}

function parseLoopback(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' || !LOOPBACK.includes(url.hostname)) {
    throw new BadWalletSettingError(
      `${EMULATOR_VARIABLE} must be an address of this machine such as http://127.0.0.1:5000, got ${text}`
    )
  }
  return url
}

function parseAnswer(body: string): Uint8Array {
  const json = parseJson(body)
  const data = json.ok && isJsonObject(json.value) ? json.value['data'] : undefined
  const bytes = typeof data === 'string' ? decodeHex(data) : undefined
  if (bytes?.ok !== true)
    throw new BadWalletAnswerError('the emulator of a Ledger answered with something else than {"data":"<hex>"}')
  return bytes.value
}

function post(url: URL, body: string, { signal }: AbortOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', headers: { 'content-type': 'application/json' } }, (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length > MAX_BODY)
          call.destroy(new BadWalletAnswerError(`the emulator of a Ledger answered with over ${MAX_BODY} bytes`))
      })
      response.on('error', fail)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString('utf8'))
        else fail(new BadWalletAnswerError(`the emulator of a Ledger answered with HTTP status ${response.statusCode ?? 0}`))
      })
    })
    const onAbort = (): void => void call.destroy(new CancelledError('the question to the Ledger was cancelled'))
    function fail(error: Error): void {
      const isOurs = error instanceof BadWalletAnswerError || error instanceof CancelledError
      reject(
        isOurs
          ? error
          : new WalletGoneError(`no Ledger emulator answers at ${url.origin}, which ${EMULATOR_VARIABLE} names`, { cause: error })
      )
    }
    call.on('error', fail)
    call.on('close', () => signal?.removeEventListener('abort', onAbort))
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    call.end(body)
  })
}
