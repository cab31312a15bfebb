/**
 * Automatic mistakes in protocol sources. All mutants of a file stand in one text, each behind a switch, so that one
 * transformed program serves for all of them: `$.mutant(7)` is true in the one that is being run.
 *
 * Kinds: a call that is left out (a store, an unlock, a wake-up …), a condition that is forced, two statements in the wrong
 * order, an unlock that comes too early or too late.
 */
import ts from "typescript";

export type MutantKind = "delete" | "force true" | "force false" | "swap" | "early" | "late";

export interface Mutant {
  /** Position in the list of all mutants: what the switch compares. */
  readonly number: number;
  /** Stays the same while the code around it changes: file, function, kind, text, and how many alike came before. */
  readonly id: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly kind: MutantKind;
  /** What is done, for people. */
  readonly text: string;
}

/** A file with its mutants built in. */
export interface Instrumented {
  readonly text: string;
  readonly mutants: readonly Mutant[];
}

interface Insertion {
  readonly at: number;
  readonly text: string;
  /** Among insertions at one place: those of outer nodes come first if they open, last if they close. */
  readonly order: number;
}

/** Names of calls that end a section. */
const UNLOCK = /unlock|^up(Read|Write)$|End$|End(Read|Write)|Sequnlock/i;

/** Calls that tell checkers something: no part of a protocol. */
const TELLING = /^(noteObject|count)$/;

/**
 * Builds all mutants into a source file. Lines stay where they are.
 * @param file path from the root of the checkout
 * @param first number of the first mutant
 */
export function instrument(file: string, text: string, first: number): Instrumented {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const maker = new Maker(source, file, first);
  maker.visit(source);
  return { text: DECLARATION + spliced(text, maker.insertions), mutants: maker.mutants };
}

/** What the switches are, for the compiler: on the first line, so that all others stay where they are. */
const DECLARATION = "declare const $: { mutant(number: number): boolean }; ";

class Maker {
  readonly mutants: Mutant[] = [];
  readonly insertions: Insertion[] = [];
  private readonly source: ts.SourceFile;
  private readonly file: string;
  private readonly first: number;
  private readonly seen = new Map<string, number>();

  constructor(source: ts.SourceFile, file: string, first: number) {
    this.source = source;
    this.file = file;
    this.first = first;
  }

  visit(node: ts.Node): void {
    if (ts.isConstructorDeclaration(node)) return;
    if (ts.isBlock(node) || ts.isCaseOrDefaultClause(node)) this.statements(node.statements);
    else if (isLoneStatement(node) && !isTelling(node)) this.loneStatement(node);
    const condition = conditionOf(node);
    if (condition !== undefined && !narrows(condition)) this.condition(condition, !isLoop(node));
    ts.forEachChild(node, (child) => this.visit(child));
  }

  private statements(list: readonly ts.Statement[]): void {
    for (let i = 0; i < list.length; i++) {
      const here = list[i] as ts.Statement;
      if (!isCall(here) || isTelling(here)) continue;
      const switches = [this.add(here, "delete")];
      const before = list[i - 1];
      const after = list[i + 1];
      if (before !== undefined && canComeBefore(here, before)) switches.push(this.moved(here, before, "before"));
      if (after !== undefined && isUnlock(here) && canComeBefore(after, here))
        switches.push(this.moved(here, after, "after"));
      this.guard(here, switches);
    }
  }

  /** In a block of its own, lest an `else` behind it belong to its guard. */
  private loneStatement(here: ts.ExpressionStatement): void {
    this.insert(here.getStart(this.source), "{ ", -2);
    this.guard(here, [this.add(here, "delete")]);
    this.insert(here.end, " }", 2);
  }

  /** The statement also stands at another place, where its mutant runs it. */
  private moved(here: ts.Statement, neighbour: ts.Statement, where: "before" | "after"): number {
    const kind = isUnlock(here) ? (where === "before" ? "early" : "late") : "swap";
    const number = this.add(here, kind);
    const text = `if ($.mutant(${number})) { ${oneLine(here)} } `;
    if (where === "before") this.insert(neighbour.getStart(this.source), text, -1000);
    else this.insert(neighbour.end, ` ${text.trim()}`, 1000);
    return number;
  }

  private guard(here: ts.Statement, switches: readonly number[]): void {
    const off = switches.map((number) => `!$.mutant(${number})`).join(" && ");
    this.insert(here.getStart(this.source), `if (${off}) { `, -1);
    this.insert(here.end, " }", 1);
  }

  private condition(here: ts.Expression, mayBeTrue: boolean): void {
    const never = this.add(here, "force false");
    const always = mayBeTrue ? `$.mutant(${this.add(here, "force true")}) || ` : "";
    this.insert(here.getStart(this.source), `${always}(!$.mutant(${never}) && (`, -1);
    this.insert(here.end, "))", 1);
  }

  private insert(at: number, text: string, order: number): void {
    this.insertions.push({ at, text, order });
  }

  private add(node: ts.Node, kind: MutantKind): number {
    const number = this.first + this.mutants.length;
    const text = oneLine(node);
    const place = `${this.file} ${functionOf(node)}: ${kind}: ${text}`;
    const alike = (this.seen.get(place) ?? 0) + 1;
    this.seen.set(place, alike);
    const id = alike === 1 ? place : `${place} #${alike}`;
    const line = this.source.getLineAndCharacterOfPosition(node.getStart(this.source)).line + 1;
    this.mutants.push({ number, id, file: this.file, line, kind, text });
    return number;
  }
}

type CallStatement = ts.ExpressionStatement & { readonly expression: ts.CallExpression };

/** A statement that is a call and nothing else. */
function isCall(node: ts.Node): node is CallStatement {
  return ts.isExpressionStatement(node) && ts.isCallExpression(node.expression) && !isSuper(node.expression);
}

function isSuper(call: ts.CallExpression): boolean {
  return call.expression.kind === ts.SyntaxKind.SuperKeyword;
}

/** A call as the branch of an if, or the body of a loop, without a block around it. */
function isLoneStatement(node: ts.Node): node is ts.ExpressionStatement {
  return isCall(node) && !ts.isBlock(node.parent) && !ts.isCaseOrDefaultClause(node.parent);
}

function isLoop(node: ts.Node): boolean {
  return ts.isWhileStatement(node) || ts.isDoStatement(node) || ts.isForStatement(node);
}

/** Conditions that decide what is run. Loops that run for ever are no mistake that a scenario has to find. */
function conditionOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node)) return node.expression;
  return ts.isConditionalExpression(node) || ts.isForStatement(node) ? node.condition : undefined;
}

/** True for a condition that tells the compiler which of several types it has before it: forced, it would not compile. */
function narrows(node: ts.Node): boolean {
  if (ts.isStringLiteral(node) || ts.isTypeOfExpression(node)) return true;
  if (ts.isIdentifier(node) && node.text === "undefined") return true;
  return ts.forEachChild(node, narrows) ?? false;
}

function isUnlock(node: ts.Statement): boolean {
  return isCall(node) && UNLOCK.test(calleeOf(node.expression));
}

function isTelling(node: ts.Statement): boolean {
  return isCall(node) && TELLING.test(calleeOf(node.expression));
}

/** The name of what is called, without what it is called on. */
function calleeOf({ expression: callee }: ts.CallExpression): string {
  return ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText();
}

/** A note of the thread's own, which no other thread sees: its order means nothing. */
function isPrivate(node: ts.Statement): boolean {
  return isTelling(node) || /^\w+(\.\w+)*\.lockdep\./.test(node.getText());
}

/** Plain stores go to what nobody else can see yet, or they were a data race. Their order means nothing. */
const PLAIN = /^plain/;
const LOAD = /^load/;

/** A plain store of what takes no more than loads to know. */
function isUnpublished(node: ts.Statement): boolean {
  if (!isCall(node) || !PLAIN.test(calleeOf(node.expression))) return false;
  return node.expression.arguments.every(isOnlyLoaded);
}

function isOnlyLoaded(node: ts.Node): boolean {
  if (ts.isCallExpression(node) && !LOAD.test(calleeOf(node))) return false;
  return ts.forEachChild(node, (child) => !isOnlyLoaded(child)) !== true;
}

/** Only a call or a declaration can be passed, and not one that declares what the moved statement needs. */
function canComeBefore(moved: ts.Statement, passed: ts.Statement): boolean {
  const plain = (node: ts.Statement): boolean => isCall(node) || ts.isVariableStatement(node);
  if (!plain(moved) || !plain(passed) || isPrivate(moved) || isPrivate(passed)) return false;
  if (isUnpublished(moved) && isUnpublished(passed)) return false;
  if (isCall(moved) && isCall(passed)) return true;
  const names = declared(ts.isVariableStatement(passed) ? passed : moved);
  return !identifiers(ts.isVariableStatement(passed) ? moved : passed).some((name) => names.has(name));
}

function declared(node: ts.Node): Set<string> {
  const names = new Set<string>();
  const visit = (child: ts.Node): void => {
    if (ts.isBindingElement(child) || ts.isVariableDeclaration(child)) {
      if (ts.isIdentifier(child.name)) names.add(child.name.text);
    }
    ts.forEachChild(child, visit);
  };
  visit(node);
  return names;
}

function identifiers(node: ts.Node): string[] {
  const names: string[] = [];
  const visit = (child: ts.Node): void => {
    if (ts.isIdentifier(child)) names.push(child.text);
    ts.forEachChild(child, visit);
  };
  visit(node);
  return names;
}

function functionOf(node: ts.Node): string {
  for (let at = node.parent; at !== undefined; at = at.parent) {
    if ((ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at)) && at.name !== undefined) return at.name.getText();
  }
  return "module";
}

function oneLine(node: ts.Node): string {
  return node
    .getText()
    .replace(/\s*\/\/[^\n]*\n/g, " ")
    .replace(/\s+/g, " ");
}

/** The text with all insertions made: openers of outer nodes before those of inner ones, closers the other way round. */
function spliced(text: string, insertions: readonly Insertion[]): string {
  const ordered = insertions
    .map((insertion, index) => ({ ...insertion, index }))
    .sort((a, b) => a.at - b.at || rank(a) - rank(b) || (a.order > 0 ? b.index - a.index : a.index - b.index));
  let result = "";
  let from = 0;
  for (const { at, text: inserted } of ordered) {
    result += text.slice(from, at) + inserted;
    from = at;
  }
  return result + text.slice(from);
}

/** What closes a node comes before what opens the next one; moved statements stand outside of the guards. */
function rank({ order }: Insertion): number {
  return order > 0 ? order : 10_000 + order;
}
