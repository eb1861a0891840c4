import { describe, expect, test } from 'vitest'
import { nameOf, parseLine, resolveCommand } from './argv.ts'
import { flagsOf } from './command.ts'
import { checkLine } from './flags.ts'
import { ROOT } from './table.ts'

/** Runs a line as far as its command would be loaded; throws what `main` would say. */
function understand(argv: readonly string[]): { readonly command: string; readonly args: readonly string[] } {
  const { path, rest } = resolveCommand(ROOT, argv)
  const specs = flagsOf(path)
  const line = parseLine(specs, rest)
  checkLine(path.at(-1) ?? ROOT, nameOf(path), specs, line)
  return { command: nameOf(path), args: line.args }
}

const node = (name: string) => `actor cmd /dms/node/${name}`

/**
 * The lines that the appliance and its scripts run (E §2), each with the command that it must mean. Words are cut at
 * single spaces; `{…}` stands for a JSON object.
 */
const LINES: readonly (readonly [line: string, command: string])[] = [
  ['gpu list', 'gpu list'],
  ['version', 'version'],
  ['key did dms', 'key did'],
  ['-c dms actor cmd /dms/node/peers/self', node('peers/self')],
  ['-c dms actor cmd /dms/node/peers/list', node('peers/list')],
  ['-c dms actor cmd /dms/node/peers/ping --host 12D3KooW', node('peers/ping')],
  ['-c dms actor cmd /dms/node/peers/score', node('peers/score')],
  ['-c dms actor cmd /dms/node/onboarding/status', node('onboarding/status')],
  ['-c dms actor cmd /dms/node/resources/free', node('resources/free')],
  ['-c dms actor cmd /dms/node/resources/allocated', node('resources/allocated')],
  ['-c dms actor cmd /dms/node/resources/onboarded', node('resources/onboarded')],
  ['-c dms actor cmd /dms/node/hardware/spec', node('hardware/spec')],
  ['-c dms actor cmd /dms/node/onboarding/onboard --disk 45.0 --ram 7.0 --cpu 3', node('onboarding/onboard')],
  ['-c dms actor cmd /dms/node/onboarding/onboard --disk 45.0 --ram 7.0 --cpu 3 -G 0:21.6 -G 1:7.2', node('onboarding/onboard')],
  ['-c dms actor cmd /dms/node/onboarding/offboard', node('onboarding/offboard')],
  ['-c dms actor cmd /dms/node/deployment/list', node('deployment/list')],
  [
    '-c dms actor cmd /dms/node/deployment/list --limit 20 --offset 0 --sort -created_at --created-after 2026-01-01T00:00:00Z --filter k=v --status running --status failed',
    node('deployment/list')
  ],
  ['-c dms actor cmd /dms/node/deployment/status -i ID', node('deployment/status')],
  ['-c dms actor cmd /dms/node/deployment/manifest -i ID', node('deployment/manifest')],
  ['-c dms actor cmd /dms/node/deployment/new -t 60s -f /tmp/e.yaml', node('deployment/new')],
  ['-c dms actor cmd /dms/node/deployment/shutdown -i ID', node('deployment/shutdown')],
  ['-c dms actor cmd /dms/node/deployment/logs --id ID --allocation node1.alloc1', node('deployment/logs')],
  [
    'cap grant --context dms --cap /dms/deployment --cap /public --topic /nunet --expiry 2030-12-31T23:59:59Z did:key:zzCH',
    'cap grant'
  ],
  ['cap anchor -c dms --require {…}', 'cap anchor'],
  ['cap anchor -c dms --provide {…}', 'cap anchor'],
  ['-c dms cap remove --provide {…}', 'cap remove'],
  ['-c dms cap remove --require {…}', 'cap remove'],
  ['cap list -c dms', 'cap list'],
  ['key new dms', 'key new'],
  ['cap new dms', 'cap new'],
  ['--config /home/nunet/config/dms_config.json run -c dms', 'run'],
  ['run -c dms', 'run'],
  ['--config /home/nunet/config/dms_config.json config set observability.elasticsearch_api_key abc', 'config set'],
  ['--config /home/nunet/config/dms_config.json config set observability.logging.level DEBUG', 'config set'],
  ['autocomplete bash', 'autocomplete bash'],
  ['completion zsh', 'completion zsh']
]

/** Lines of parts that do not exist yet: what they say until then is what clients look for. */
const LATER: readonly (readonly [line: string, part: string, message: string])[] = [
  [
    '-c dms actor cmd --timeout 180s /dms/node/deployment/info --id ID --usage',
    'usage of deployments',
    'unknown behavior "/dms/node/deployment/info"'
  ],
  ['-c dms actor cmd /dms/node/deployment/delete --id ID', 'deleting', 'unknown behavior "/dms/node/deployment/delete"'],
  ['-c dms actor cmd /dms/node/deployment/prune --all', 'deleting', 'unknown behavior "/dms/node/deployment/prune"'],
  [
    '-c dms actor cmd /dms/node/deployment/logs/async --follow --id ID --allocation a',
    'logs that follow',
    'unknown behavior "/dms/node/deployment/logs/async"'
  ],
  ['contracts --context dms list incoming', 'contracts', 'unknown command "contracts" for "nunet"'],
  ['contracts --context dms list outgoing', 'contracts', 'unknown command "contracts" for "nunet"'],
  ...['list_incoming', 'list', 'state --contract-did D', 'approve_local --contract-did D', 'terminate --contract-did D'].map(
    (tail) =>
      [
        `actor cmd -c dms /dms/tokenomics/contract/${tail}`,
        'contracts',
        `unknown behavior "/dms/tokenomics/contract/${tail.split(' ')[0] ?? ''}"`
      ] as const
  ),
  ...['transactions/list', 'transactions/confirm', 'payment/quote/get', 'payment/quote/validate', 'payment/quote/cancel'].map(
    (name) =>
      [
        `actor cmd --context dms /dms/tokenomics/contract/${name}`,
        'payments',
        `unknown behavior "/dms/tokenomics/contract/${name}"`
      ] as const
  )
]

describe('a line that clients run', () => {
  test.each(LINES)('nunet %s means %s', (line, command) => {
    expect(understand(line.split(' ')).command).toBe(`nunet ${command}`)
  })

  test('keeps a token with spaces in one argument', () => {
    const token = '{"tok": [{"dms": {"iss": {"uri": "did:key:z"}}}]}'
    expect(understand(['cap', 'revoke', '-c', 'dms', token]).args).toEqual([token])
  })

  test.each(LATER)('nunet %s is refused by name until there are %s', (line, _part, message) => {
    expect(() => understand(line.split(' '))).toThrow(message)
  })
})
