/** What is rejected wherever it stands, whether shared memory is reached or not. */
import ts from "typescript";

const RAW: ReadonlySet<string> = new Set(["Atomics", "Buffer", "SharedArrayBuffer"]);
/** What calls functions, or makes them, where nobody sees it. */
const HIDING: ReadonlySet<string> = new Set(["eval", "Function", "Proxy", "Reflect", "globalThis"]);
const VIEW = /^(DataView|((Big)?(Int|Uint)|Float)(8|16|32|64)(Clamped)?Array)$/;
const MUTATORS: ReadonlySet<string> = new Set(
  "push pop shift unshift splice sort reverse fill copyWithin set add delete clear".split(" "),
);
const COLLECTION = /^(Array|Map|Set|WeakMap|WeakSet)$/;

/** The declaration of a constant at the top of a module that a symbol stands for. */
export type FindConstant = (symbol: ts.Symbol) => ts.VariableDeclaration | undefined;

/** What is wrong with a node, or null. */
export function forbiddenAt(node: ts.Node, checker: ts.TypeChecker, constantOf: FindConstant): string | null {
  return syntaxAt(node) ?? rawAt(node, checker) ?? stateAt(node, checker, constantOf);
}

function syntaxAt(node: ts.Node): string | null {
  if (ts.isVariableDeclarationList(node)) {
    const kind = node.flags & ts.NodeFlags.BlockScoped;
    if (kind === ts.NodeFlags.Using || kind === ts.NodeFlags.AwaitUsing)
      return "using: an unseen call at the end of the block: call it";
    const top = ts.isVariableStatement(node.parent) && ts.isSourceFile(node.parent.parent);
    if (top && kind !== ts.NodeFlags.Const)
      return "module-level variable, of which each thread has its own: pass it in";
  }
  if (ts.isPropertyDeclaration(node)) {
    const flags = ts.getCombinedModifierFlags(node);
    if ((flags & ts.ModifierFlags.Static) !== 0 && (flags & ts.ModifierFlags.Readonly) === 0)
      return "static field, of which each thread has its own: make it readonly, or pass it in";
  }
  if (ts.isComputedPropertyName(node) && node.expression.getText().startsWith("Symbol."))
    return `[${node.expression.getText()}], which is called unseen: give it a name, and call that`;
  if ((ts.isForOfStatement(node) || ts.isForInStatement(node)) && !ts.isVariableDeclarationList(node.initializer))
    return "a loop over a variable from outside: declare it in the loop";
  if (endsInSemicolon(node) && !node.getText().endsWith(";"))
    return "a statement without a semicolon, which would go on with what is inserted behind it: end it";
  if (ts.isIdentifier(node) && node.text === "$" && isDeclared(node))
    return "the name $ is the scheduler's: choose another one";
  return null;
}

function endsInSemicolon(node: ts.Node): boolean {
  const plain = ts.isExpressionStatement(node) || ts.isVariableStatement(node) || ts.isReturnStatement(node);
  return plain || ts.isThrowStatement(node) || ts.isPropertyDeclaration(node) || ts.isExportAssignment(node);
}

/** True for a name that is declared here, and not just said to be there. */
function isDeclared(node: ts.Identifier): boolean {
  const { parent } = node;
  const named = ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isBindingElement(parent);
  if (!(named || ts.isFunctionLike(parent) || ts.isImportSpecifier(parent)) || parent.name !== node) return false;
  return (ts.getCombinedModifierFlags(parent as ts.Declaration) & ts.ModifierFlags.Ambient) === 0;
}

function rawAt(node: ts.Node, checker: ts.TypeChecker): string | null {
  if (ts.isIdentifier(node) && RAW.has(node.text) && isValue(node))
    return `${node.text}: only class Memory makes and touches shared memory; use its methods`;
  if (ts.isIdentifier(node) && HIDING.has(node.text) && isValue(node))
    return `${node.text} hides what it calls: write the calls`;
  if (ts.isIdentifier(node) && node.text === "Symbol" && isValue(node) && !isCalled(node))
    return "a symbol of the language's, by which it calls unseen: use a name";
  if (ts.isIdentifier(node) && VIEW.test(node.text) && isValue(node) && !isUsed(node))
    return `${node.text} under another name: use it where it stands`;
  if (!ts.isNewExpression(node) || !ts.isIdentifier(node.expression)) return null;
  const [buffer] = node.arguments ?? [];
  if (!VIEW.test(node.expression.text) || buffer === undefined) return null;
  const shared = mayBeShared(checker.getTypeAtLocation(buffer), checker);
  return shared ? "a view of shared memory: only class Memory has one; use its methods" : null;
}

function mayBeShared(type: ts.Type, checker: ts.TypeChecker): boolean {
  const known = checker.getBaseConstraintOfType(type) ?? type;
  if ((known.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) !== 0) return true;
  return (known.isUnion() ? known.types : [known]).some((part) => part.symbol?.name === "SharedArrayBuffer");
}

function isValue(node: ts.Identifier): boolean {
  const { parent } = node;
  const named = (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent)) && parent.name === node;
  return !named;
}

/** True for the name in `Symbol("x")` and `Symbol.for("x")`. */
function isCalled(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isCallExpression(parent)) return parent.expression === node;
  return ts.isPropertyAccessExpression(parent) && parent.name.text === "for";
}

/** True for the name of a class in `new X(…)`, `X.from(…)`, `value instanceof X`. */
function isUsed({ parent }: ts.Identifier): boolean {
  return ts.isNewExpression(parent) || ts.isPropertyAccessExpression(parent) || ts.isBinaryExpression(parent);
}

/** Changes of what stands at the top of a module. */
function stateAt(node: ts.Node, checker: ts.TypeChecker, constantOf: FindConstant): string | null {
  if (!ts.isIdentifier(node)) return null;
  const symbol = checker.getSymbolAtLocation(node);
  const constant = symbol && constantOf(symbol);
  if (constant === undefined || constant.name === node) return null;
  const changed = isChanged(node) || (mayChange(constant, checker) && getsAway(node, checker));
  return changed
    ? `${node.text} is changed, of which each thread has its own: pass it in, or make its type readonly`
    : null;
}

/** True for `x.a[1] = …`, `x.a++`, `delete x.a`, `x.a.push(…)`. */
function isChanged(root: ts.Identifier): boolean {
  let node: ts.Node = root;
  while (isPartOf(node.parent, node)) node = node.parent;
  const { parent } = node;
  if (ts.isBinaryExpression(parent) && parent.left === node) return isAssignment(parent.operatorToken.kind);
  if (ts.isDeleteExpression(parent)) return true;
  if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent))
    return parent.operator === ts.SyntaxKind.PlusPlusToken || parent.operator === ts.SyntaxKind.MinusMinusToken;
  const called = ts.isCallExpression(parent) && parent.expression === node;
  return called && ts.isPropertyAccessExpression(node) && MUTATORS.has(node.name.text);
}

function isAssignment(operator: ts.SyntaxKind): boolean {
  return operator >= ts.SyntaxKind.FirstAssignment && operator <= ts.SyntaxKind.LastAssignment;
}

function isPartOf(parent: ts.Node, node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent)) return parent.expression === node;
  return ts.isNonNullExpression(parent) || ts.isParenthesizedExpression(parent) || ts.isAsExpression(parent);
}

/** True for collections that can be written; an empty typed array cannot. */
function mayChange(constant: ts.VariableDeclaration, checker: ts.TypeChecker): boolean {
  if (constant.initializer !== undefined && /^new \w+\((0|\[\])?\)$/.test(constant.initializer.getText()))
    return !VIEW.test(checker.getTypeAtLocation(constant).symbol?.name);
  return isMutable(checker.getTypeAtLocation(constant));
}

function isMutable(type: ts.Type): boolean {
  const name = type.symbol?.name ?? "";
  return COLLECTION.test(name) || VIEW.test(name);
}

/** True if the value gets to a place through which it can be written. */
function getsAway(node: ts.Identifier, checker: ts.TypeChecker): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent)) return false;
  const target = checker.getContextualType(node);
  return target !== undefined && isMutable(target);
}
