// The rules of the house that neither the compiler nor the linter knows. Prints each breach as
// `file:line: what is wrong` and exits 1 when there is one.
//
//   node tools/tidy.mjs [path prefix …]    only breaches under these paths
import { knownIds, later, testsById } from './lib/test-ids.mjs';
import { files, packages, read, readJson } from './lib/workspace.mjs';
import { circlesAmong } from './tidy/circles.mjs';
import { checkSource, isTest, titlesOf } from './tidy/source.mjs';

const breaches = [];
const parts = packages();
const allFiles = files();
const sourceFiles = allFiles.filter((file) => /\.ts$/.test(file) && !/\.d\.ts$/.test(file));
const arrows = Object.fromEntries(
  Object.entries(readJson('turbo.json').boundaries.tags).map(([tag, { dependencies }]) => [
    tag,
    dependencies.allow,
  ]),
);

function main() {
  for (const file of sourceFiles) {
    breaches.push(...checkSource({ file, text: read(file), parts, arrows }));
  }
  checkCircles();
  checkArrowsDeclared();
  checkConformanceLines();
  checkIdsInTests();
  checkIdsHaveTests();
  checkWords();
  checkLockfile();
  checkManifests();
  checkFileNames();
  report();
}

function checkCircles() {
  for (const circle of circlesAmong(sourceFiles.map((file) => ({ file, text: read(file) })))) {
    breaches.push(`${circle[0]}:1: A circle of imports: ${circle.join(', ')}`);
  }
}

/** A part's manifest depends only along the arrows; `turbo boundaries` checks the same by tags. */
function checkArrowsDeclared() {
  for (const part of parts) {
    const file = `${part.directory}/package.json`;
    if (part.tag === undefined || arrows[part.tag] === undefined) {
      breaches.push(`${file}:1: No boundaries tag, wanted one in its turbo.json and in the root's`);
      continue;
    }
    const declared = { ...part.manifest.dependencies, ...part.manifest.devDependencies };
    for (const name of Object.keys(declared)) {
      const other = parts.find((candidate) => candidate.manifest.name === name);
      if (other !== undefined && !arrows[part.tag].includes(other.tag)) {
        breaches.push(`${file}:1: Depends on ${name} against the arrows`);
      }
    }
  }
}

// Adapters and their suites -------------------------------------------------------------------------

const suites = {
  'storage-fs': ['logStorageConformance'],
  'storage-indexeddb': ['logStorageConformance'],
  'transport-tabs': ['transportConformance', 'rendezvousConformance'],
  'transport-libp2p': ['transportConformance', 'registerConformance', 'rendezvousConformance'],
  crypto: ['cipherConformance'],
  kv: ['stateMachineConformance'],
};

/** Every adapter runs the suite of its contract; so do the memory adapters beside the contracts. */
function checkConformanceLines() {
  const index = 'packages/contracts/src/conformance/index.ts';
  if (!allFiles.includes(index)) return;
  const offered = [...read(index).matchAll(/\b([a-z]\w*Conformance)\b/g)].map((match) => match[1]);
  const calls = (directory, suite) =>
    sourceFiles.some(
      (file) =>
        file.startsWith(`${directory}/`) &&
        isTest(file) &&
        new RegExp(`\\b${suite}\\(`).test(read(file)),
    );
  for (const suite of new Set(offered)) {
    const wanting = Object.keys(suites).filter((short) => suites[short].includes(suite));
    for (const directory of ['contracts', ...wanting].map((short) => `packages/${short}`)) {
      if (!calls(directory, suite)) {
        breaches.push(`${directory}/package.json:1: No test calls ${suite}(…)`);
      }
    }
  }
}

/** A rule, scenario or kind of fault named by a test is one that docs/ defines. */
function checkIdsInTests() {
  const known = new Set();
  for (const file of ['docs/SAFETY.md', 'docs/SCENARIOS.md', 'docs/FAULTS.md']) {
    for (const [id] of read(file).matchAll(/\b[A-Z]\d{1,2}\b/g)) known.add(id);
  }
  for (const file of sourceFiles.filter(isTest)) {
    for (const { line, title } of titlesOf(file, read(file))) {
      for (const [id] of title.matchAll(/\b[ZELMSRDCKFBT]\d{1,2}\b/g)) {
        if (!known.has(id)) breaches.push(`${file}:${line}: ${id} is no rule and no scenario`);
      }
    }
  }
}

/** Every rule and scenario is carried by a test, or is written down as one to come. */
function checkIdsHaveTests() {
  const tests = testsById();
  for (const id of knownIds()) {
    if (!tests.has(id) && later[id] === undefined) {
      breaches.push(`tools/lib/test-ids.mjs:1: No test carries ${id}`);
    }
  }
  for (const id of Object.keys(later)) {
    if (tests.has(id))
      breaches.push(`tools/lib/test-ids.mjs:1: ${id} has a test: it is not to come`);
  }
}

// Words, names, manifests ------------------------------------------------------------------------------

// Assembled, so that this file does not hold what it forbids.
const forbidden = [
  {
    pattern: new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`),
    say: 'unfinished work',
  },
  { pattern: new RegExp(`/(work|tmp)/(main|shared|briefs)`), say: "a machine's path" },
  { pattern: new RegExp(`registry\\.npm` + `js\\.org`), say: "a registry's address" },
  { pattern: new RegExp(`debug` + `ger;`), say: 'a breakpoint' },
];
const textFile = /(\.(ts|mjs|js|json|yaml|yml|md|html|css|txt)|^LICENSE|^\.ci\/.*)$/;

function checkWords() {
  for (const file of allFiles) {
    if (!textFile.test(file) || file === 'pnpm-lock.yaml') continue;
    read(file)
      .split('\n')
      .forEach((line, index) => {
        for (const { pattern, say } of forbidden) {
          const match = pattern.exec(line);
          if (match !== null) breaches.push(`${file}:${index + 1}: ${match[0]}: ${say}`);
        }
      });
  }
}

/** An address in the lockfile is where one machine found a package; others may not reach it. */
function checkLockfile() {
  read('pnpm-lock.yaml')
    .split('\n')
    .forEach((line, index) => {
      if (/:\/\/|\bgit@|\btarball:/.test(line)) {
        breaches.push(`pnpm-lock.yaml:${index + 1}: An address: ${line.trim()}`);
      }
    });
}

/** One version per third-party package, named once, in the catalog. */
function checkManifests() {
  for (const file of ['package.json', ...parts.map((part) => `${part.directory}/package.json`)]) {
    const own = readJson(file);
    for (const field of ['dependencies', 'devDependencies', 'peerDependencies']) {
      for (const [name, version] of Object.entries(own[field] ?? {})) {
        const wanted = parts.some((part) => part.manifest.name === name)
          ? 'workspace:*'
          : 'catalog:';
        if (version !== wanted) breaches.push(`${file}:1: ${name} is ${version}, wanted ${wanted}`);
      }
    }
    if (own.type !== 'module') breaches.push(`${file}:1: type is ${own.type}, wanted module`);
  }
  const core = parts.find((part) => part.short === 'core');
  const coreNeeds = Object.keys(core?.manifest.dependencies ?? {});
  if (coreNeeds.length > 0) {
    breaches.push(`packages/core/package.json:1: core depends on ${coreNeeds.join(', ')}`);
  }
}

function checkFileNames() {
  for (const file of sourceFiles) {
    const name = file.split('/').at(-1);
    if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/.test(name)) {
      breaches.push(`${file}:1: File name ${name}, wanted kebab-case`);
    }
  }
}

function report() {
  const prefixes = process.argv.slice(2);
  const shown = breaches.filter(
    (text) => prefixes.length === 0 || prefixes.some((prefix) => text.startsWith(prefix)),
  );
  for (const text of shown) console.log(text);
  console.log(
    shown.length === 0
      ? `tidy: ${sourceFiles.length} source files, nothing to complain about`
      : `tidy: ${shown.length} breaches`,
  );
  process.exitCode = shown.length === 0 ? 0 : 1;
}

main();
