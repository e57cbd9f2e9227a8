// The demo's page without any server behind it: tabs of one browser are the whole cluster.
//
//   node tools/demo.mjs [--port N]
import { buildPage, servePage } from './lib/demo-page.mjs';

const at = process.argv.indexOf('--port');
const { url } = await servePage({
  files: await buildPage(),
  port: at === -1 ? 0 : Number(process.argv[at + 1]),
});
console.log(`Open ${url}`);
