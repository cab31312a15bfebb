/**
 * Where function values go. A call through a parameter, a property, a table's row calls the declaration of that type; every
 * function that may be found there has to be of one kind with it: all are generators, or none is.
 *
 * Wherever a value of one type gets to a place of another type, the two types are compared, and what is called by one name
 * on both is made the same. TypeScript's types are those of the declarations where a function's type was not written
 * down, so such functions are known for what they are.
 */
import ts from "typescript";
import type { Callable } from "./declarations.ts";
import { unseenName } from "./places.ts";

/** What is found. */
export interface FlowSink {
  /** A function of one may be called as the other. */
  same(a: Callable, b: Callable, node: ts.Node): void;
  /** The function gets to where it can't be followed. */
  leaves(callable: Callable, node: ts.Node, message: string): void;
  /** Nothing is known of the functions that are called as this one from here on. */
  appears(callable: Callable, node: ts.Node, message: string): void;
  /** Something can't be followed at all. */
  problem(node: ts.Node, message: string): void;
  /** True for a declaration of the checkout's. */
  isOwn(declaration: ts.Node): boolean;
}

const HANDED_OUT = "handed to code that cannot be delayed, and reaches shared memory: write a loop that calls it";
const UNTYPED = "gets to a place of type any or unknown, and reaches shared memory: give the place a type";
const FOREIGN = "a function from elsewhere in a place where others reach shared memory: write a function that calls it";
const CLAIMED =
  "claimed of something that isn't known to have it: functions that it may stand for can't be told: declare it";
const DEEP = "a type too deep to follow: name its parts";

/** Types within types that are followed. */
const DEPTH = 16;

const OPAQUE = ts.TypeFlags.Any | ts.TypeFlags.Unknown;
const PRIMITIVE =
  ts.TypeFlags.StringLike |
  ts.TypeFlags.NumberLike |
  ts.TypeFlags.BigIntLike |
  ts.TypeFlags.BooleanLike |
  ts.TypeFlags.ESSymbolLike |
  ts.TypeFlags.VoidLike |
  ts.TypeFlags.Null |
  ts.TypeFlags.Never;

const CALLERS: ReadonlySet<string> = new Set(["call", "apply", "bind"]);
const ASSIGNMENTS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.EqualsToken,
  ts.SyntaxKind.BarBarEqualsToken,
  ts.SyntaxKind.AmpersandAmpersandEqualsToken,
  ts.SyntaxKind.QuestionQuestionEqualsToken,
]);
const CHOICES: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.QuestionQuestionToken,
]);

/** Follows the function values of one file. */
export class Flow {
  private readonly checker: ts.TypeChecker;
  private readonly sink: FlowSink;
  private readonly seen = new Map<ts.Type, Set<ts.Type>>();

  constructor(checker: ts.TypeChecker, sink: FlowSink) {
    this.checker = checker;
    this.sink = sink;
  }

  /** What a call may call: declarations of the checkout's, none for a library's; null if that is unknown. */
  calleesOf(node: ts.CallExpression | ts.TaggedTemplateExpression, callee: ts.Expression): Callable[] | null {
    const found = new Set<Callable>();
    const resolved = this.checker.getResolvedSignature(node)?.declaration;
    if (resolved !== undefined && ts.isFunctionLike(resolved)) found.add(resolved as Callable);
    for (const type of partsOf(this.checker.getNonNullableType(this.typeOf(callee)))) {
      if ((type.flags & OPAQUE) !== 0) return null;
      if (resolved === undefined || type.isIntersection() || this.isChoice(callee)) {
        for (const declaration of this.callablesOf(type)) found.add(declaration);
      }
    }
    if (found.size === 0) return null;
    return [...found].filter((declaration) => this.sink.isOwn(declaration));
  }

  /** Looks at one node, not at those below it. */
  visit(node: ts.Node): void {
    if (ts.isExpression(node)) this.visitValue(node);
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) this.visitArguments(node);
    if (ts.isClassLike(node)) this.visitHeritage(node);
    if (ts.isFunctionLike(node) && node.type && ts.isTypePredicateNode(node.type)) this.visitGuard(node.type);
    if (isMember(node)) this.visitMember(node.name, this.typeOf(node.name));
    if (ts.isBinaryExpression(node) && ASSIGNMENTS.has(node.operatorToken.kind)) this.visitAssignment(node);
    const value = defaultOf(node);
    if (value !== undefined) this.relate(this.typeOf(value), this.typeOf(value.parent.name), value);
  }

  private visitAssignment({ left, right }: ts.BinaryExpression): void {
    const name = memberName(left);
    if (name !== undefined) this.visitMember(name, this.typeOf(right));
  }

  /** A function that a member gets which the language calls by itself. */
  private visitMember(name: ts.Node, type: ts.Type): void {
    const wrong = unseenName(name);
    if (wrong === null) return;
    for (const callable of this.callablesOf(type)) this.sink.leaves(callable, name, `reaches shared memory ${wrong}`);
  }

  private visitValue(node: ts.Expression): void {
    if (ts.isPropertyAccessExpression(node) && CALLERS.has(node.name.text)) this.handOut(node.expression);
    const target = this.targetOf(node);
    if (target !== undefined) this.relate(this.typeOf(node), target, node);
    if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isTypeAssertionExpression(node)) {
      const source = this.typeOf(innermost(node.expression));
      this.relate(source, this.typeOf(node), node);
      this.claim([source], this.typeOf(node), node);
    }
  }

  /** The type of the place that an expression's value gets to, as far as it isn't the expression's own. */
  private targetOf(node: ts.Expression): ts.Type | undefined {
    const { parent } = node;
    if (ts.isConditionalExpression(parent)) return node === parent.condition ? undefined : this.typeOf(parent);
    if (ts.isBinaryExpression(parent)) {
      const operator = parent.operatorToken.kind;
      if (CHOICES.has(operator)) return this.typeOf(parent);
      return ASSIGNMENTS.has(operator) && node === parent.right ? this.typeOf(parent.left) : undefined;
    }
    if (ts.isReturnStatement(parent) || (ts.isArrowFunction(parent) && node === parent.body)) {
      const callable = ts.findAncestor(parent, ts.isFunctionLike);
      const signature = callable && this.checker.getSignatureFromDeclaration(callable as Callable);
      return signature && this.checker.getReturnTypeOfSignature(signature);
    }
    if (ts.isArrayLiteralExpression(parent)) {
      this.relateTo(node, this.checker.getContextualType(node));
      return this.checker.getIndexTypeOfType(this.typeOf(parent), ts.IndexKind.Number);
    }
    if (!isHandedOver(node) && !ts.isYieldExpression(parent)) return undefined;
    return this.checker.getContextualType(node);
  }

  private visitArguments(node: ts.CallExpression | ts.NewExpression): void {
    const declaration = this.checker.getResolvedSignature(node)?.declaration;
    if (declaration === undefined || !ts.isFunctionLike(declaration)) return;
    for (const [i, argument] of (node.arguments ?? []).entries()) {
      const last = declaration.parameters.length - 1;
      const parameter = declaration.parameters[Math.min(i, last)];
      if (parameter === undefined || !ts.isParameter(parameter) || !this.sink.isOwn(declaration)) continue;
      const type = this.typeOf(parameter);
      const rest = parameter.dotDotDotToken !== undefined && !ts.isSpreadElement(argument);
      this.relateTo(argument, rest ? this.checker.getIndexTypeOfType(type, ts.IndexKind.Number) : type);
    }
  }

  private visitHeritage(node: ts.ClassLikeDeclaration): void {
    for (const clause of node.heritageClauses ?? []) {
      for (const type of clause.types) this.relate(this.checker.getTypeAtLocation(node), this.typeOf(type), type);
    }
  }

  private visitGuard({ parameterName, type }: ts.TypePredicateNode): void {
    if (type !== undefined) this.claim([this.typeOf(parameterName)], this.typeOf(type), type);
  }

  private relateTo(node: ts.Expression, target: ts.Type | undefined): void {
    if (target !== undefined) this.relate(this.typeOf(node), target, node);
  }

  /** A value of type `source` gets to a place of type `target`. */
  private relate(source: ts.Type, target: ts.Type, node: ts.Node, depth = 0): void {
    if (source === target || ((source.flags | target.flags) & PRIMITIVE) !== 0) return;
    if (!this.isNew(source, target)) return;
    if (depth > DEPTH) this.sink.problem(node, DEEP);
    else if (source.isUnion()) for (const part of source.types) this.relate(part, target, node, depth);
    else if (target.isUnion()) this.relateToChoice(source, target, node, depth);
    else this.relateSingle(source, this.constraintOf(target), node, depth + 1);
  }

  private relateToChoice(source: ts.Type, target: ts.UnionType, node: ts.Node, depth: number): void {
    if (target.types.includes(source)) return;
    const callable = this.signaturesOf(source).length > 0;
    const fitting = target.types.filter((part) => !callable || this.signaturesOf(part).length > 0);
    for (const part of fitting.length > 0 ? fitting : target.types) this.relate(source, part, node, depth);
  }

  private relateSingle(source: ts.Type, target: ts.Type | undefined, node: ts.Node, depth: number): void {
    if (target === undefined || source === target) return;
    const given = this.signaturesOf(source);
    const wanted = this.signaturesOf(target);
    if (wanted.length === 0) for (const callable of this.callablesOf(source)) this.sink.leaves(callable, node, UNTYPED);
    if ((source.flags & ts.TypeFlags.Any) !== 0) {
      for (const callable of this.callablesOf(target)) this.sink.leaves(callable, node, FOREIGN);
      return this.claim([], target, node);
    }
    for (const a of given) for (const b of wanted) this.relateSignatures(a, b, node, depth);
    this.relateElements(source, target, node, depth);
    if (!this.isLibrary(target)) this.relateProperties(source, target, node, depth);
  }

  private relateSignatures(a: ts.Signature, b: ts.Signature, node: ts.Node, depth: number): void {
    const from = callableOf(a);
    const to = callableOf(b);
    if (from !== undefined && to !== undefined && from !== to) this.relateCallables(from, to, node);
    const results = [a, b].map((signature) => this.checker.getReturnTypeOfSignature(signature));
    this.relate(results[0] as ts.Type, results[1] as ts.Type, node, depth);
    for (const [i, parameter] of b.parameters.entries()) {
      const own = a.parameters[i];
      if (own === undefined) break;
      this.relate(this.typeOfSymbol(parameter, node), this.typeOfSymbol(own, node), node, depth);
    }
  }

  private relateCallables(from: Callable, to: Callable, node: ts.Node): void {
    const fromOwn = this.sink.isOwn(from);
    const toOwn = this.sink.isOwn(to);
    if (fromOwn && toOwn) this.sink.same(from, to, node);
    else if (fromOwn) this.sink.leaves(from, node, HANDED_OUT);
    else if (toOwn) this.sink.leaves(to, node, FOREIGN);
  }

  private relateElements(source: ts.Type, target: ts.Type, node: ts.Node, depth: number): void {
    for (const kind of [ts.IndexKind.Number, ts.IndexKind.String]) {
      const to = this.checker.getIndexTypeOfType(target, kind);
      if (to === undefined) continue;
      const from = this.checker.getIndexTypeOfType(source, kind);
      if (from !== undefined) this.relate(from, to, node, depth);
      else if (kind === ts.IndexKind.String) {
        for (const property of source.getProperties()) this.relate(this.typeOfSymbol(property, node), to, node, depth);
      }
    }
    if (!this.isLibrary(target) || !this.isLibrary(source)) return;
    const from = this.argumentsOf(source);
    for (const [i, to] of this.argumentsOf(target).entries()) {
      const type = from[i];
      if (type !== undefined) this.relate(type, to, node, depth);
    }
  }

  private relateProperties(source: ts.Type, target: ts.Type, node: ts.Node, depth: number): void {
    for (const property of this.checker.getPropertiesOfType(target)) {
      const own = this.checker.getPropertyOfType(source, property.name);
      if (own === undefined || own === property) continue;
      this.relate(this.typeOfSymbol(own, node), this.typeOfSymbol(property, node), node, depth);
    }
  }

  /**
   * A value of one of these types is said to be a `target`. What functions it has that none of the types has, nobody knows.
   * @param open types that are being looked at
   */
  private claim(sources: readonly ts.Type[], target: ts.Type, node: ts.Node, open: readonly ts.Type[] = []): void {
    const known = sources.flatMap(partsOf);
    if (known.includes(target) || (target.flags & PRIMITIVE) !== 0 || open.includes(target)) return;
    if (target.isUnion()) return target.types.forEach((part) => this.claim(known, part, node, open));
    if (!known.some((type) => this.signaturesOf(type).length > 0)) {
      for (const callable of this.callablesOf(target)) this.sink.appears(callable, node, CLAIMED);
    }
    const inner = [...open, target];
    for (const [i, part] of this.argumentsOf(target).entries()) {
      this.claim(known.map((type) => this.argumentsOf(type)[i]).filter(isKnown), part, node, inner);
    }
    const element = this.checker.getIndexTypeOfType(target, ts.IndexKind.String);
    if (element !== undefined) this.claim([], element, node, inner);
    if (this.isLibrary(target)) return;
    for (const property of this.checker.getPropertiesOfType(target)) {
      const own = known.map((type) => this.checker.getPropertyOfType(type, property.name)).filter(isKnown);
      const types = own.map((symbol) => this.typeOfSymbol(symbol, node));
      if (!own.includes(property)) this.claim(types, this.typeOfSymbol(property, node), node, inner);
    }
  }

  private handOut(node: ts.Expression): void {
    for (const callable of this.callablesOf(this.typeOf(node))) this.sink.leaves(callable, node, HANDED_OUT);
  }

  private isNew(source: ts.Type, target: ts.Type): boolean {
    let targets = this.seen.get(source);
    if (targets === undefined) this.seen.set(source, (targets = new Set()));
    if (targets.has(target)) return false;
    targets.add(target);
    return true;
  }

  private isChoice(callee: ts.Expression): boolean {
    return this.typeOf(callee).isUnion();
  }

  /** The checkout's functions among those that a type stands for. */
  private callablesOf(type: ts.Type): Callable[] {
    return partsOf(type)
      .flatMap((part) => this.signaturesOf(part))
      .map(callableOf)
      .filter((callable) => callable !== undefined)
      .filter((callable) => this.sink.isOwn(callable));
  }

  private signaturesOf(type: ts.Type): readonly ts.Signature[] {
    return this.checker.getSignaturesOfType(this.checker.getApparentType(type), ts.SignatureKind.Call);
  }

  /** What is known of a type: its constraint, if it's a parameter. */
  private constraintOf(type: ts.Type): ts.Type | undefined {
    if ((type.flags & ts.TypeFlags.TypeParameter) === 0) return type;
    return this.checker.getBaseConstraintOfType(type);
  }

  private isLibrary(type: ts.Type): boolean {
    const declaration = type.symbol?.declarations?.[0];
    return this.checker.isArrayType(type) || (declaration !== undefined && !this.sink.isOwn(declaration));
  }

  private argumentsOf(type: ts.Type): readonly ts.Type[] {
    const reference = (type.flags & ts.TypeFlags.Object) !== 0 && "target" in type;
    return reference ? this.checker.getTypeArguments(type as ts.TypeReference) : [];
  }

  private typeOf(node: ts.Node): ts.Type {
    return this.checker.getTypeAtLocation(node);
  }

  private typeOfSymbol(symbol: ts.Symbol, node: ts.Node): ts.Type {
    return this.checker.getTypeOfSymbolAtLocation(symbol, node);
  }
}

/** Expressions whose value becomes an argument, a variable's or a property's. */
function isHandedOver(node: ts.Expression): boolean {
  const { parent } = node;
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return node !== parent.expression;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) return node === parent.initializer;
  return ts.isShorthandPropertyAssignment(parent) || ts.isSpreadElement(parent);
}

/** What something has if it isn't given anything: the `value` of `name = value`. */
function defaultOf(node: ts.Node): (ts.Expression & { readonly parent: { readonly name: ts.Node } }) | undefined {
  const value =
    ts.isParameter(node) || ts.isPropertyDeclaration(node) || ts.isBindingElement(node)
      ? node.initializer
      : ts.isShorthandPropertyAssignment(node)
        ? node.objectAssignmentInitializer
        : undefined;
  return value as ReturnType<typeof defaultOf>;
}

type Member = ts.PropertyAssignment | ts.ShorthandPropertyAssignment | ts.PropertyDeclaration | ts.PropertySignature;

function isMember(node: ts.Node): node is Member {
  const given = ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node);
  return given || ts.isPropertyDeclaration(node) || ts.isPropertySignature(node);
}

/** The name in `x.name` and `x["name"]`. */
function memberName(node: ts.Expression): ts.Node | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name;
  return ts.isElementAccessExpression(node) ? node.argumentExpression : undefined;
}

/** What is below assertions: `e as unknown as T` says of e that it's a T. */
function innermost(node: ts.Expression): ts.Expression {
  return ts.isAsExpression(node) || ts.isParenthesizedExpression(node) ? innermost(node.expression) : node;
}

function isKnown<T>(thing: T | undefined): thing is T {
  return thing !== undefined;
}

function partsOf(type: ts.Type): readonly ts.Type[] {
  return type.isUnion() ? type.types : [type];
}

function callableOf(signature: ts.Signature): Callable | undefined {
  const declaration = signature.declaration;
  return declaration !== undefined && ts.isFunctionLike(declaration) ? (declaration as Callable) : undefined;
}
