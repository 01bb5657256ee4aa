/**
 * The window with an invented lab behind it, for looking at panes without a machine. Not part of any edition.
 */
import { fakeBridge } from "./fake.ts";

Object.defineProperty(window, "quadrant", { value: fakeBridge() });
void import("../main.ts");
