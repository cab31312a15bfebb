/** Stable numbers from names: the same file has the same inode number in every run. */

/** FNV-1a, finished so that near names give far numbers. Unsigned 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A number of [low, high) that belongs to a text. */
export function hashBetween(text: string, low: number, high: number): number {
  return low + Math.floor((hashText(text) / 4294967296) * (high - low));
}
