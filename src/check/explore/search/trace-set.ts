/** A set of numbers, for millions of them. */
export class TraceSet {
  size = 0;
  private table: Float64Array = new Float64Array(1024).fill(-1);

  /** @param trace not negative */
  add(trace: number): void {
    if (2 * this.size >= this.table.length) this.grow();
    if (insert(this.table, trace)) this.size++;
  }

  clear(): void {
    this.size = 0;
    this.table.fill(-1);
  }

  has(trace: number): boolean {
    return this.table[find(this.table, trace)] === trace;
  }

  private grow(): void {
    const larger = new Float64Array(this.table.length * 2).fill(-1);
    for (const trace of this.table) if (trace >= 0) insert(larger, trace);
    this.table = larger;
  }
}

function insert(table: Float64Array, trace: number): boolean {
  const at = find(table, trace);
  if (table[at] === trace) return false;
  table[at] = trace;
  return true;
}

/** Where the number is, or would be. */
function find(table: Float64Array, trace: number): number {
  const mask = table.length - 1;
  let at = (trace % 4294967291) & mask;
  while (table[at] >= 0 && table[at] !== trace) at = (at + 1) & mask;
  return at;
}
