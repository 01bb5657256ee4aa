/**
 * Which of the shell's overlays is open. One at a time.
 */
import type { ChosenFile } from "../bridge.ts";

export type Overlay =
  | { readonly kind: "palette" }
  | { readonly kind: "help" }
  | { readonly kind: "words" }
  | { readonly kind: "run-to" }
  | { readonly kind: "go-to" }
  | { readonly kind: "settings" }
  | { readonly kind: "gdb" }
  | { readonly kind: "open-image"; readonly file: ChosenFile };

class Ui {
  overlay = $state.raw<Overlay | null>(null);

  open(overlay: Overlay): void {
    this.overlay = overlay;
  }

  close(): void {
    this.overlay = null;
  }
}

export const ui = new Ui();
