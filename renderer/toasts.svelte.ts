/**
 * Short messages at the window's lower edge: what went wrong in words, or what was done. Errors stay until dismissed.
 */
export interface Toast {
  readonly id: number;
  readonly tone: "error" | "info" | "ok";
  readonly text: string;
  /** A way on, as a button. */
  readonly action?: { readonly title: string; readonly run: () => void };
}

let next = 1;

class Toasts {
  list = $state.raw<readonly Toast[]>([]);

  show(tone: Toast["tone"], text: string, action?: Toast["action"]): void {
    // The same sentence twice is one message.
    const others = this.list.filter((toast) => toast.text !== text);
    const toast: Toast = { id: next++, tone, text, ...(action === undefined ? {} : { action }) };
    this.list = [...others.slice(-3), toast];
    if (tone !== "error" && action === undefined) setTimeout(() => this.dismiss(toast.id), 4000);
  }

  error(reason: unknown): void {
    this.show("error", reason instanceof Error ? reason.message : String(reason));
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
