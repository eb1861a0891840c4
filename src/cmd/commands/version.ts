import { buildInfo } from '../build-info.ts'
import type { Action } from '../command.ts'

/** `nunet version`: clients read the first line that begins with "version" (D §2.1, E §2.1). */
export const version: Action = async (_invocation, io) => {
  const { version: number, commit, date } = buildInfo()
  await io.stdout.write(
    [
      'NuNet Device Management Service',
      `Version: ${number}`,
      `Commit: ${commit}`,
      '',
      `Node Version: ${process.version}`,
      `Build Date: ${date}`,
      ''
    ].join('\n')
  )
}
