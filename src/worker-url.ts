/**
 * The URL of a compiled worker file that lies beside a module. A thread cannot load TypeScript: where the module itself
 * was loaded from src/ (vitest, tsx), its compiled neighbour under dist/ is meant, so the build has to come first.
 * @param moduleUrl the `import.meta.url` of the caller
 * @param relative the worker relative to the caller, with the extension of compiled code: `./decode-worker.js`
 */
export function workerUrl(moduleUrl: string, relative: string): URL {
  const url = new URL(relative, moduleUrl);
  if (!moduleUrl.endsWith('.ts')) return url;
  const at = url.pathname.lastIndexOf('/src/');
  url.pathname = `${url.pathname.slice(0, at)}/dist/${url.pathname.slice(at + '/src/'.length)}`;
  return url;
}
