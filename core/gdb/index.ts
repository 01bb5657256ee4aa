/** The gdb remote stub, without sockets: electron/ has those. */
export { PACKET_SIZE } from "./framing.ts";
export { REGISTERS } from "./registers.ts";
export { type GdbLink, type GdbPeer, GdbServer } from "./server.ts";
