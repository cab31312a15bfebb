/** Where a call stands: in a function that can become a generator, or where nothing can be delayed. */
import ts from "typescript";
import type { Callable, Key } from "./declarations.ts";
import { keyOf } from "./declarations.ts";

/** The function around a node; or what else, where shared memory must not be reached. */
export type Place = { readonly key: Key } | { readonly outside: string };

/** The place of a node. */
export function placeOf(node: ts.Node): Place {
  for (let child = node, at = node.parent; ; child = at, at = at.parent) {
    if (ts.isSourceFile(at)) return { outside: "at the top of a module: put it into a function" };
    if (ts.isFunctionLike(at)) return placeIn(at, child);
    if (ts.isClassStaticBlockDeclaration(at)) return { outside: "in a static block: put it into a method" };
    if (ts.isPropertyDeclaration(at)) {
      if (child === at.initializer) return { outside: "in a field's initialiser: put it into a function" };
      // A computed name, which is evaluated around the class.
      at = at.parent;
    }
  }
}

function placeIn(callable: Callable, child: ts.Node): Place {
  if (ts.isParameter(child)) return { outside: "in a default of a parameter: put it into the function's body" };
  const wrong = unfitness(callable);
  return wrong === null ? { key: keyOf(callable) } : { outside: wrong };
}

/** Why a function cannot become a generator, or null. */
export function unfitness(callable: Callable): string | null {
  if (ts.isConstructorDeclaration(callable)) return "in a constructor: put it into a function that makes the object";
  if (ts.isGetAccessorDeclaration(callable)) return "in a getter: make it a method";
  if (ts.isSetAccessorDeclaration(callable)) return "in a setter: make it a method";
  if (isAsync(callable)) return "in an async function: protocol code does not await";
  if ("asteriskToken" in callable && callable.asteriskToken !== undefined)
    return "in a generator: write a loop that calls a function";
  const name = nameOf(callable);
  if (name !== undefined && ts.isComputedPropertyName(name))
    return "in a method with a computed name, which may be called unseen: give it a name";
  return name === undefined ? null : unseenName(name);
}

/** Why what a member of this name does can't be delayed, or null. */
export function unseenName(name: ts.Node): string | null {
  const text = ts.isStringLiteralLike(name) ? name.text : name.getText();
  return UNSEEN.has(text) ? `in ${text}(), which may be called unseen: give it another name` : null;
}

/** A function's own name, or that of the member that it's the value of. */
function nameOf(callable: Callable): ts.DeclarationName | undefined {
  const { parent } = callable;
  const member = ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent);
  return callable.name ?? (member ? parent.name : undefined);
}

/** Methods that the language, or a library, calls by itself. */
const UNSEEN: ReadonlySet<string> = new Set(["toString", "valueOf", "toJSON", "then"]);

function isAsync(callable: Callable): boolean {
  return (ts.getCombinedModifierFlags(callable) & ts.ModifierFlags.Async) !== 0;
}
