// @ts-check
import { join } from 'node:path'
import { defineExecutorPlugin } from '@nunet/dms/plugin'
import { createEchoExecutor } from './echo-executor.js'

export const plugin = defineExecutorPlugin(({ directory, log }) => {
  log.debug('echo is there')
  return createEchoExecutor({ directory: join(directory, 'runs') })
})
