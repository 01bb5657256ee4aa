/**
 * What main and the host's worker say to each other beside the window's messages: open the door for gdb, or shut it. No
 * page can say it: what pages send is checked first, and this is none of it.
 */
export interface DoorRequest {
  readonly type: "gdb-door";
  readonly id: number;
  /** The port to open at, 0 for any free one; null: shut it. */
  readonly port: number | null;
}

export interface DoorAnswer {
  readonly type: "gdb-door";
  readonly id: number;
  /** Why it could not be done, in words. */
  readonly error: string | null;
}

/** Of what travels between the two, is this about the door? */
export const isAboutDoor = (message: { readonly type?: unknown }): boolean => message.type === "gdb-door";
