/**
 * Highest random weight hashing (Thaler and Ravishankar, 1998): each key ranks
 * the nodes in an order of its own, so that a node that comes or goes moves
 * only the keys that it holds.
 * @param nameOf what names a node; the order of `nodes` does not matter
 */
export function rankNodes<T>(key: string, nodes: readonly T[], nameOf: (node: T) => string): T[] {
  return nodes
    .map((node) => ({ node, name: nameOf(node) }))
    .map(({ node, name }) => ({ node, name, weight: hash32(`${name}\n${key}`) }))
    .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1))
    .map(({ node }) => node);
}

/** FNV-1a over UTF-16 units, with MurmurHash3's finaliser: names that differ in the last letter must not rank alike. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
