/** Copies of results: the verdict may change what it is given, and a thread's result may serve several executions. */

/** A copy of a value. As structuredClone, but fast for what results mostly are. @throws DOMException if it can't be cloned */
export function copyOf(value: unknown): unknown {
  if (typeof value === "function" || typeof value === "symbol") return structuredClone(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  if (Object.getPrototypeOf(value) !== Object.prototype) return structuredClone(value);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = copyOf((value as Record<string, unknown>)[key]);
  return copy;
}
