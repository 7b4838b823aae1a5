/** Where the built llama-server of this tree's llama.cpp lies, or is to lie. */
export declare const peerProgram: () => string
/** Builds it where it is not there; says where it is, or why there is none. */
export declare const buildPeer: () => Promise<string>
