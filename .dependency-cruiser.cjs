/**
 * Imports point one way (shared design): cli -> gateway -> {admin, server, store, barbican, fleet}
 * -> {transfer, publication} -> {signing, keys} -> {dnssec, zone} -> dns.
 */
const layers = [
  ['dns'],
  ['dnssec', 'zone'],
  ['signing', 'keys'],
  ['transfer', 'publication'],
  ['admin', 'server', 'store', 'barbican', 'fleet'],
];
const folder = (names) => `^src/(${names.join('|')})/`;
const upward = layers.flatMap((layer, i) => {
  const above = layers.slice(i + 1).flat();
  const rules = [
    {
      name: `${layer.join('-')}-not-upward`,
      comment: 'a layer imports only layers below it; a consumer declares the port it needs',
      severity: 'error',
      from: { path: folder(layer) },
      to: { path: `${above.length > 0 ? `${folder(above)}|` : ''}^src/(cli/|gateway|config)` },
    },
  ];
  return rules;
});
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    ...upward,
    {
      name: 'store-and-barbican-known-to-gateway-alone',
      severity: 'error',
      from: { path: '^src/(admin|server|fleet)/' },
      to: { path: '^src/(store|barbican)/' },
    },
    {
      name: 'command-line-through-the-gateway',
      comment:
        'src/gateway-store.ts and src/gateway-parts.ts put store and barbican together, for commands as well',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/(store|barbican)/' },
    },
    {
      name: 'store-not-barbican',
      severity: 'error',
      from: { path: '^src/store/' },
      to: { path: '^src/barbican/' },
    },
    {
      name: 'barbican-not-store',
      severity: 'error',
      from: { path: '^src/barbican/' },
      to: { path: '^src/store/' },
    },
    {
      name: 'verifier-stands-alone',
      comment: 'what judges a signed zone shares nothing with what signs it but the protocol',
      severity: 'error',
      from: { path: '^src/dnssec/verify/' },
      to: { path: '^src/', pathNot: '^src/(dns/|dnssec/verify/|errors\\.ts$)' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^src' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    detectProcessBuiltinModuleCalls: true,
    parser: 'swc',
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
