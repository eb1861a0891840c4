import { expect, test } from 'vitest'
import { parseImageReference } from './reference.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

test.each([
  '',
  'Nginx',
  'a b',
  'a//b',
  '../etc',
  'a/../b',
  'a?x=1',
  'a:tag:tag',
  'a:',
  'a@sha256:abc',
  `a@${DIGEST}@${DIGEST}`,
  'a:-tag',
  `a/${'b'.repeat(512)}`
])('refuses %s', (text) => {
  expect(parseImageReference(text)).toMatchObject({ ok: false })
})

test.each([
  ['nginx', 'nginx', 'latest', 'https://index.docker.io/v1/', 'nginx:latest'],
  ['library/nginx:1.27-alpine', 'library/nginx', '1.27-alpine', 'https://index.docker.io/v1/', 'library/nginx:1.27-alpine'],
  ['ghcr.io/a/b_c:X', 'ghcr.io/a/b_c', 'X', 'ghcr.io', 'ghcr.io/a/b_c:X'],
  ['localhost:5000/a', 'localhost:5000/a', 'latest', 'localhost:5000', 'localhost:5000/a:latest'],
  ['registry:5000/a/b:1', 'registry:5000/a/b', '1', 'registry:5000', 'registry:5000/a/b:1'],
  [`a:1@${DIGEST}`, 'a', DIGEST, 'https://index.docker.io/v1/', `a@${DIGEST}`]
])('reads %s', (text, name, tag, registry, canonical) => {
  expect(parseImageReference(text)).toEqual({ ok: true, value: { name, tag, registry, text: canonical } })
})
