// Circles between files. An import of a type counts: a circle of types is a circle of ideas, and the
// next value that takes the same way makes it one at run time.
import ts from 'typescript';
import { importsOf } from './imports.mjs';

/** Circles among `files` ({ file, text }[]), each as the sorted list of its members. */
export function circlesAmong(files) {
  const known = new Set(files.map(({ file }) => file));
  const neighbours = new Map(
    files.map(({ file, text }) => [
      file,
      relativeImports(file, text).filter((to) => known.has(to)),
    ]),
  );
  return components(neighbours)
    .filter((circle) => circle.length > 1)
    .map((circle) => circle.sort());
}

function relativeImports(file, text) {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  return importsOf(tree)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier }) => new URL(specifier, `file:///${file}`).pathname.slice(1));
}

/** Strongly connected components (Tarjan 1972), without recursion over long chains of imports. */
function components(neighbours) {
  const order = new Map();
  const low = new Map();
  const onStack = new Set();
  const stack = [];
  const found = [];
  for (const root of neighbours.keys()) {
    if (order.has(root)) continue;
    const path = [{ file: root, next: 0 }];
    while (path.length > 0) {
      const top = path.at(-1);
      const { file } = top;
      if (!order.has(file)) {
        order.set(file, order.size);
        low.set(file, order.get(file));
        stack.push(file);
        onStack.add(file);
      }
      const to = neighbours.get(file)[top.next];
      if (to !== undefined) {
        top.next += 1;
        if (!order.has(to)) path.push({ file: to, next: 0 });
        else if (onStack.has(to)) low.set(file, Math.min(low.get(file), order.get(to)));
        continue;
      }
      path.pop();
      const parent = path.at(-1)?.file;
      if (parent !== undefined) low.set(parent, Math.min(low.get(parent), low.get(file)));
      if (low.get(file) === order.get(file)) {
        const members = stack.splice(stack.indexOf(file));
        for (const member of members) onStack.delete(member);
        found.push(members);
      }
    }
  }
  return found;
}
