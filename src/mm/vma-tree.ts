/** Words of a node of the VMA tree. */
export const VMA_NODE_WORDS = 56;
