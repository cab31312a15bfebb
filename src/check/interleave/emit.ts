/**
 * The text of a transformed file: types are blanked, and text is inserted; no line moves. What is in the way becomes a
 * comment. An access, a plain access, a call and an arrow function that reach shared memory, without these comments:
 *
 *     m.load(at)              ($.load(7, m, at) ?? (yield))
 *     m.plainStore(at, 1)     $.plainStore(8, m, at, 1)
 *     f(x)                    (yield* f(x))
 *     (x) => f(x)             (function*(x) { return (yield* f(x)); })
 */
import ts from "typescript";
import { blankSourceFile } from "ts-blank-space";
import type { Site } from "../explore/report.ts";
import { FIND_BACKEND } from "./backend.ts";
import type { Colours } from "./colour.ts";
import { keyOf } from "./declarations.ts";
import type { AccessFact, Facts } from "./facts.ts";
import { textOf } from "./facts.ts";
import { valueImports } from "./sources.ts";

/** What stands before the first line: where the accesses go. */
export const PROLOGUE = `const $ = ${FIND_BACKEND}; `;

/** Text inserted before the character at `at` of the blanked source. */
export interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** What becomes of a file. */
export interface Output {
  readonly text: string;
  readonly sites: readonly Site[];
  readonly insertions: readonly Insertion[];
  /** The source without types, into which the text was inserted. */
  readonly blanked: string;
}

/** Transforms a file. @param firstSite number of its first site */
export function emit(facts: Facts, colours: Colours, firstSite: number): Output {
  const blanked = importsOfScripts(facts.source, blankSourceFile(facts.source));
  if (blanked.length !== facts.source.text.length) throw new Error(`${facts.file}: blanking types moved text`);
  const { insertions, sites } = new Writer(facts, colours, firstSite).write();
  return { text: insert(blanked, insertions), sites, insertions, blanked };
}

/** Imports name the files that come out: ./x.ts becomes ./x.js. */
function importsOfScripts(source: ts.SourceFile, text: string): string {
  let out = text;
  for (const specifier of valueImports(source)) {
    const at = specifier.end - 3;
    if (source.text.slice(at, specifier.end - 1) === "ts") out = `${out.slice(0, at)}js${out.slice(at + 2)}`;
  }
  return out;
}

function insert(text: string, insertions: readonly Insertion[]): string {
  const parts = [PROLOGUE];
  let from = 0;
  for (const { at, text: inserted } of insertions) {
    parts.push(text.slice(from, at), inserted);
    from = at;
  }
  parts.push(text.slice(from));
  return parts.join("");
}

class Writer {
  private readonly facts: Facts;
  private readonly colours: Colours;
  private readonly firstSite: number;
  private readonly accesses: ReadonlyMap<ts.Node, AccessFact>;
  private readonly delayed = new Set<ts.Node>();
  private readonly sites: Site[] = [];
  private readonly inserted: (Insertion & { readonly closes: boolean })[] = [];

  constructor(facts: Facts, colours: Colours, firstSite: number) {
    this.facts = facts;
    this.colours = colours;
    this.firstSite = firstSite;
    this.accesses = new Map(facts.accesses.map((access) => [access.node, access]));
    for (const { node, callee } of facts.calls) if (colours.isGenerator(callee)) this.delayed.add(node);
  }

  write(): { insertions: Insertion[]; sites: Site[] } {
    this.visit(this.facts.source);
    // At one place what ends comes before what begins; what begins first is outermost, what ends first is innermost.
    const insertions = this.inserted.sort((a, b) => a.at - b.at || Number(b.closes) - Number(a.closes));
    return { insertions, sites: this.sites };
  }

  private visit(node: ts.Node): void {
    const access = this.accesses.get(node);
    if (access !== undefined) this.writeAccess(access);
    else if (this.delayed.has(node)) this.wrap(node, "(yield* ", ")");
    else if (ts.isArrowFunction(node) && this.isGenerator(node)) this.writeArrow(node);
    else {
      if (isFunctionWithBody(node) && this.isGenerator(node)) this.open(starPlace(node), "*");
      this.visitChildren(node);
    }
  }

  private visitChildren(node: ts.Node): void {
    ts.forEachChild(node, (child) => this.visit(child));
  }

  private wrap(node: ts.Node, before: string, after: string): void {
    this.open(node.getStart(), before);
    this.visitChildren(node);
    this.close(node.end, after);
  }

  private writeAccess({ node, kind, method }: AccessFact): void {
    const { expression: receiver } = node.expression as ts.PropertyAccessExpression;
    const site = this.firstSite + this.sites.length;
    this.sites.push(siteOf(this.facts.file, node));
    const [before, after] = kind === "plain" ? ["", ""] : givesNothing(node, method) ? ["(void (", "))"] : ["(", ")"];
    this.open(node.getStart(), `${before}$.${method}(${site}, `);
    this.visit(receiver);
    this.open(receiver.end, "/*");
    const first = node.arguments.pos;
    this.close(first, "*/, ");
    for (const argument of node.arguments) this.visit(argument);
    this.close(node.end, kind === "step" ? ` ?? (yield)${after}` : "");
  }

  private writeArrow(node: ts.ArrowFunction): void {
    const arrow = node.equalsGreaterThanToken;
    const block = ts.isBlock(node.body);
    this.open(node.getStart(), "(function*");
    const bare = node.getFirstToken()?.kind === ts.SyntaxKind.Identifier;
    for (const parameter of node.parameters) {
      if (bare) this.wrap(parameter, "(", ")");
      else this.visit(parameter);
    }
    this.open(arrow.getStart(), "/*");
    this.close(arrow.end, "*/");
    if (!block) this.open(node.body.getStart(), "{ return ");
    this.visit(node.body);
    this.close(node.end, `${block ? "" : "; }"})${usesThis(node) ? ".bind(this)" : ""}`);
  }

  private isGenerator(node: ts.SignatureDeclaration): boolean {
    return this.colours.isGenerator(keyOf(node));
  }

  private open(at: number, text: string): void {
    this.inserted.push({ at, text, closes: false });
  }

  private close(at: number, text: string): void {
    this.inserted.push({ at, text, closes: true });
  }
}

/** The scheduler has a number for each access; who gives on what a store gives has nothing. */
function givesNothing(node: ts.Node, method: string): boolean {
  return (method === "store" || method === "nap") && !ts.isExpressionStatement(node.parent);
}

type FunctionWithBody = ts.FunctionDeclaration | ts.FunctionExpression | ts.MethodDeclaration;

function isFunctionWithBody(node: ts.Node): node is FunctionWithBody {
  const kind = ts.isFunctionDeclaration(node) || ts.isFunctionExpression(node) || ts.isMethodDeclaration(node);
  return kind && node.body !== undefined;
}

/** Where the star of a generator goes: after `function`, before a method's name. */
function starPlace(node: FunctionWithBody): number {
  if (ts.isMethodDeclaration(node)) return node.name.getStart();
  const keyword = node.getChildren().find((child) => child.kind === ts.SyntaxKind.FunctionKeyword);
  return (keyword as ts.Node).end;
}

/** True if the `this` of an arrow function is that of the code around it. */
function usesThis(node: ts.Node): boolean {
  if (node.kind === ts.SyntaxKind.ThisKeyword) return true;
  const own = (ts.isFunctionLike(node) && !ts.isArrowFunction(node)) || ts.isClassLike(node);
  return own ? false : (ts.forEachChild(node, usesThis) ?? false);
}

function siteOf(file: string, node: ts.Node): Site {
  const { line, character } = ts.getLineAndCharacterOfPosition(node.getSourceFile(), node.getStart());
  return { file, line: line + 1, column: character + 1, fn: functionName(node), text: textOf(node) };
}

/** The function around a node, by its own name or that of what it is assigned to. */
function functionName(node: ts.Node): string {
  for (let at = node.parent; !ts.isSourceFile(at); at = at.parent) {
    if (!ts.isFunctionLike(at)) continue;
    if (at.name !== undefined) return at.name.getText();
    if (ts.isVariableDeclaration(at.parent) || ts.isPropertyAssignment(at.parent)) return at.parent.name.getText();
  }
  return "";
}
