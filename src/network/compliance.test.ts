import { test } from 'vitest'
import { addressOf, createLoopbackHost } from '../../test/support/network-hosts.ts'
import { messageTransportCompliance } from '../testing/index.ts'

messageTransportCompliance({
  test,
  async create() {
    const [first, second] = [createLoopbackHost(), createLoopbackHost()]
    await Promise.all([first.start(), second.start()])
    await first.connect(addressOf(second))
    return {
      first,
      second,
      stranger: createLoopbackHost().peerId,
      stop: async () => {
        await first.stop()
        await second.stop()
      }
    }
  }
})
