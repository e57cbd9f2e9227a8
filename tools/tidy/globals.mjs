// What a source may take from its surroundings: time, chance, a page, a process.
import ts from 'typescript';

const hostGlobals = new Set(['window', 'document', 'process', 'Buffer', 'localStorage', 'require']);
const timeGlobals = new Set(['setTimeout', 'setInterval', 'setImmediate', 'performance', 'Date']);

/** The core is synchronous and pure; core, contracts, cluster and kv take time and chance as parameters. */
export function checkGlobals({ file, part, breach }, node) {
  if (part.short === 'core') {
    if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)) {
      breach(node, 'async in core, wanted a synchronous state machine');
    }
    if (isGlobal(node) && ['Promise', 'queueMicrotask', 'console'].includes(node.text)) {
      breach(node, `${node.text} in core, wanted a synchronous state machine`);
    }
  }
  if (isDeterministic(file)) {
    if (isGlobal(node) && timeGlobals.has(node.text)) {
      breach(node, `${node.text} used, wanted time as a parameter`);
    }
    if (isMember(node, 'Math', 'random') || (isGlobal(node) && node.text === 'crypto')) {
      breach(node, 'A random source used, wanted chance as a parameter');
    }
  }
  if (isIsomorphic(file) && isGlobal(node) && hostGlobals.has(node.text)) {
    breach(node, `${node.text} used where every runtime must do`);
  }
}

/** Runs in every runtime: no Node, no page. A file or directory named `node` is Node's own. */
export function isIsomorphic(file) {
  return /^packages\/(core|contracts|cluster|kv|client|crypto)\/src\/(?!node\b)/.test(file);
}

/** Must run on virtual time: conformance suites and `system.ts` are where real time comes in. */
function isDeterministic(file) {
  return (
    /^packages\/(core|contracts|cluster|kv)\/src\//.test(file) &&
    !file.startsWith('packages/contracts/src/conformance') &&
    file !== 'packages/contracts/src/system.ts'
  );
}

// A name that stands for a value of the surroundings: no property, no key, no declaration, no type.
function isGlobal(node) {
  if (!ts.isIdentifier(node)) return false;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) {
    return ts.isIdentifier(parent.expression) && parent.expression.text === 'globalThis';
  }
  if (ts.isTypeReferenceNode(parent) || ts.isQualifiedName(parent)) return false;
  if (ts.isTypeQueryNode(parent)) return false;
  return !('name' in parent && parent.name === node) && !isBoundHere(node);
}

// Parameters and variables may bear the name of a global: then it is not the global.
function isBoundHere(node) {
  for (let scope = node.parent; scope !== undefined; scope = scope.parent) {
    if (ts.isFunctionLike(scope) && scope.parameters.some((p) => binds(p.name, node.text))) {
      return true;
    }
    const statements = ts.isBlock(scope) || ts.isSourceFile(scope) ? scope.statements : [];
    for (const statement of statements) {
      if (ts.isImportDeclaration(statement) && importBinds(statement, node.text)) return true;
      if (ts.isVariableStatement(statement)) {
        const { declarations } = statement.declarationList;
        if (declarations.some((d) => binds(d.name, node.text))) return true;
      }
    }
  }
  return false;
}

function binds(name, text) {
  if (ts.isIdentifier(name)) return name.text === text;
  return name.elements.some((element) => 'name' in element && binds(element.name, text));
}

function importBinds(statement, text) {
  const bindings = statement.importClause?.namedBindings;
  return (
    statement.importClause?.name?.text === text ||
    (bindings !== undefined &&
      ts.isNamedImports(bindings) &&
      bindings.elements.some((element) => element.name.text === text))
  );
}

export function isMember(node, object, property) {
  return (
    ts.isPropertyAccessExpression(node) &&
    node.name.text === property &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === object
  );
}
