import type { ConnectionEncrypter } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import type { Libp2pOptions } from 'libp2p'

type EncrypterFactory = NonNullable<Libp2pOptions['connectionEncrypters']>[number]

/** How connections are encrypted, best first (B §5.1): TLS 1.3, then Noise. */
export function createEncrypters(): EncrypterFactory[] {
  return [lazyTls, noise()]
}

/** TLS brings a whole certificate library along, which is loaded for the first connection. */
const lazyTls: EncrypterFactory = (components) => {
  let loaded: Promise<ConnectionEncrypter> | undefined
  const load = (): Promise<ConnectionEncrypter> => {
    loaded ??= import('@libp2p/tls').then(({ tls }) => tls()(components))
    return loaded
  }
  return {
    protocol: '/tls/1.0.0',
    secureInbound: async (connection, options) => (await load()).secureInbound(connection, options),
    secureOutbound: async (connection, options) => (await load()).secureOutbound(connection, options)
  }
}
