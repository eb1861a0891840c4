/** Turns the table of architecture.cjs into rules. Type-only imports count; test files may look further than their module. */
const { modules, dms, drivers, packages } = require('./architecture.cjs')

const TEST = '\\.test\\.ts$'
const DRIVER_MODULES = drivers.join('|')

const only = (root, table, extra = {}) =>
  Object.entries(table).map(([name, may]) => ({
    name: `${root}${name} imports only ${may.join(', ') || 'nothing'}`,
    severity: 'error',
    from: { path: `^${root}${name}/`, pathNot: TEST },
    to: { path: `^${root}`, pathNot: [name, ...may, ...(extra[name] ?? [])].map((target) => `^${root}${target}(/|\\.ts$)`) }
  }))

const homes = Object.entries(packages).map(([name, home]) => ({
  name: `${name} only in ${home}`,
  severity: 'error',
  from: { path: '^src/', pathNot: [`^src/${home}/`, TEST] },
  to: { path: `node_modules/(${name})/` }
}))

module.exports = {
  forbidden: [
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'imports resolve', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'what runs is a dependency',
      severity: 'error',
      from: { path: '^src/', pathNot: [TEST, '^src/testing/'] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] }
    },
    ...only('src/', modules, { cmd: ['daemon', 'checkup'], network: ['polyfills'] }),
    ...only('src/dms/', dms).map((rule) => ({
      ...rule,
      to: { ...rule.to, pathNot: [...rule.to.pathNot, '^src/dms/[^/]+\\.ts$'] }
    })),
    ...homes,
    {
      name: 'through the face',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: {
        path: '^src/',
        pathNot: ['^src/$1/', '/index\\.ts$', '^src/(daemon|checkup|polyfills)\\.ts$', '^src/testing/compliance/']
      }
    },
    {
      name: 'the roots use faces',
      severity: 'error',
      from: { path: '^src/[^/]+\\.ts$', pathNot: TEST },
      to: { path: '^src/[^/]+/', pathNot: '/index\\.ts$' }
    },
    {
      name: 'bin only starts cmd',
      severity: 'error',
      from: { path: '^src/bin\\.ts$' },
      to: { path: '^src/', pathNot: '^src/cmd/index\\.ts$' }
    },
    { name: 'nothing imports bin', severity: 'error', from: {}, to: { path: '^src/bin\\.ts$' } },
    {
      name: 'drivers only in the roots',
      severity: 'error',
      from: { pathNot: ['^src/(daemon|checkup)\\.ts$', '^src/testing/', TEST, `^src/(${DRIVER_MODULES})/[^/]+/`] },
      to: { path: `^src/(${DRIVER_MODULES})/[^/]+/` }
    },
    {
      name: 'drivers do not know each other',
      severity: 'error',
      from: { path: `^src/(${DRIVER_MODULES})/([^/]+)/`, pathNot: TEST },
      to: { path: '^src/$1/[^/]+/', pathNot: '^src/$1/$2/' }
    },
    {
      name: 'roots only from cmd and testing',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/cmd/', '^src/testing/', TEST] },
      to: { path: '^src/(daemon|checkup)\\.ts$' }
    },
    {
      name: 'roots only lazily',
      severity: 'error',
      from: { path: '^src/(cmd/|bin\\.ts)', pathNot: TEST },
      to: { path: '^src/(daemon|checkup)\\.ts$', dependencyTypesNot: ['dynamic-import'] }
    },
    {
      name: 'checkup loads no network',
      severity: 'error',
      from: { path: '^src/checkup\\.ts$' },
      to: { path: '^src/(network|dms|api|db|telemetry|daemon|polyfills)(/|\\.ts$)' }
    },
    {
      name: 'polyfills only where libp2p starts',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(network|testing)/', '^src/daemon\\.ts$'] },
      to: { path: '^src/polyfills\\.ts$' }
    },
    {
      name: 'fakes stay out',
      severity: 'error',
      from: { path: '^src/', pathNot: [TEST, '^src/testing/'] },
      to: { path: [TEST, '^src/testing/'] }
    }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default']
    }
  }
}
