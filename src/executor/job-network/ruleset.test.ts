import { describe, expect, test } from 'vitest'
import { egressRules } from './ruleset.ts'
import { neighbourhoods, parseResolvers } from './surroundings.ts'

describe('the rules for jobs', () => {
  test('drop what goes to this machine, to special addresses, to its neighbours and to other jobs', () => {
    const rules = egressRules({ neighbourhoods: ['93.184.216.9/24', '2a00:1450::5/64'], resolvers: [] })
    expect(rules).toContain('169.254.0.0/16')
    expect(rules).toContain('93.184.216.9/24')
    expect(rules).toContain('2a00:1450::5/64')
    expect(rules.indexOf('oifname "nunet*" drop')).toBeLessThan(rules.indexOf('ct state', rules.indexOf('chain forward')))
    expect(rules).not.toContain('resolvers')
  })

  test('let jobs ask the servers for names that this machine asks, and only for names', () => {
    const rules = egressRules({ neighbourhoods: [], resolvers: ['192.168.1.1', 'fd00::53'] })
    expect(rules).toContain('ip daddr @resolvers4 udp dport 53 accept')
    expect(rules).toContain('ip6 daddr @resolvers6 tcp dport 53 accept')
    expect(rules).not.toMatch(/@resolvers[46] accept/)
  })

  test('take no text for a network that is none', () => {
    const hostile = ['10.0.0.1/8; flush ruleset', '0.0.0.0/0', '::/0', 'x', '1.2.3.4', '1.2.3.4/99x']
    const rules = egressRules({ neighbourhoods: hostile, resolvers: ['1.1.1.1; flush ruleset', 'name'] })
    expect(rules).toBe(egressRules({ neighbourhoods: [], resolvers: [] }))
  })
})

describe('what a machine is connected to', () => {
  test('is every network of its interfaces but those of jobs', () => {
    const entry = { netmask: '', mac: '', internal: false, family: 'IPv4' as const }
    const found = neighbourhoods({
      nunetd0001: [{ ...entry, address: '198.18.0.1', cidr: '198.18.0.1/29' }],
      eth0: [
        { ...entry, address: '93.184.216.9', cidr: '93.184.216.9/24' },
        { ...entry, address: 'fe80::1', cidr: 'fe80::1%eth0/64' }
      ],
      odd: [{ ...entry, address: '1.2.3.4', cidr: null }]
    })
    expect(found).toEqual(['93.184.216.9/24', 'fe80::1/64'])
  })

  test('has the servers of resolv.conf, without those on loopback and beyond three', () => {
    const text = '# x\nnameserver 127.0.0.53\nnameserver 192.168.1.1\n nameserver fd00::1\nnameserver x; drop\nsearch lan\n'
    expect(parseResolvers(text)).toEqual(['192.168.1.1', 'fd00::1'])
    expect(parseResolvers('nameserver 9.9.9.9\n'.repeat(9))).toHaveLength(3)
  })
})
