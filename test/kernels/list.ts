/** What build/kernels.mjs needs of the core: the manifest's reader and the policies there are. */
import { POLICY_NONE, POLICY_IDS as SHADOW } from "../../core/machine/setup.ts";

export { readManifest } from "./manifest.ts";

/** `none` first: the others are compared with it. */
export const POLICY_IDS: readonly string[] = [POLICY_NONE, ...SHADOW.filter((id) => id !== POLICY_NONE)];
