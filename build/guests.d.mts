/** Types of build/guests.mjs for the tests. */
export const GUEST_IDS: readonly string[];
export interface AssembledGuest {
  readonly bytes: Buffer;
  readonly symbols: { name: string; address: number }[];
}
export function hasNasm(): boolean;
export function parseMap(text: string): { name: string; address: number }[];
export function assembleGuest(id: string): AssembledGuest;
export function binaryModule(id: string, assembled: AssembledGuest): string;
