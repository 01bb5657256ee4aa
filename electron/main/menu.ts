/**
 * The application's menu bar, built from the window's command list: main knows no command by name. Keys are shown here
 * and handled by the window, which knows when a command applies; editing text and the window itself are Electron's roles.
 */
import { app, dialog, Menu, type MenuItemConstructorOptions } from "electron";
import { acceleratorOf, type MenuItem } from "./requests.ts";

/** Replaces the menu bar. Without items it offers what works without a page. `choose` gets the chosen command's id. */
export function setMenu(items: readonly MenuItem[], choose: (id: string) => void): void {
  const of = (menu: MenuItem["menu"]) =>
    items.filter((item) => item.menu === menu).flatMap((item) => entry(item, choose));
  const template: MenuItemConstructorOptions[] = [
    { label: "&File", submenu: join(of("File"), [{ role: "quit" }]) },
    {
      label: "&Edit",
      submenu: join(of("Edit"), [
        { role: "undo" },
        { role: "redo" },
        { type: "separator" },
        { role: "cut" },
        { role: "copy" },
        { role: "paste" },
        { role: "selectAll" },
      ]),
    },
    { label: "&Machine", submenu: of("Machine") },
    {
      label: "&View",
      submenu: join(of("View"), [
        { role: "resetZoom" },
        { role: "zoomIn" },
        { role: "zoomOut" },
        { role: "togglefullscreen" },
        ...(app.isPackaged ? [] : [{ type: "separator" as const }, { role: "toggleDevTools" as const }]),
      ]),
    },
    { label: "&Help", submenu: join(of("Help"), [{ label: "About Quadrant", click: about }]) },
  ];
  Menu.setApplicationMenu(
    Menu.buildFromTemplate(template.filter((menu) => (menu.submenu as unknown[]).length > 0)),
  );
}

function entry(item: MenuItem, choose: (id: string) => void): MenuItemConstructorOptions[] {
  const options: MenuItemConstructorOptions = {
    id: item.id,
    label: item.title.replaceAll("&", "&&"),
    enabled: item.enabled,
    click: () => choose(item.id),
  };
  if (item.checked !== undefined) {
    options.type = "checkbox";
    options.checked = item.checked;
  }
  const key = acceleratorOf(item.key);
  if (key !== null) {
    options.accelerator = key;
    options.registerAccelerator = false;
  }
  return item.separator === true ? [{ type: "separator" }, options] : [options];
}

function join(
  ours: MenuItemConstructorOptions[],
  roles: MenuItemConstructorOptions[],
): MenuItemConstructorOptions[] {
  return ours.length === 0 ? roles : [...ours, { type: "separator" }, ...roles];
}

function about(): void {
  void dialog.showMessageBox({
    type: "info",
    title: "About Quadrant",
    message: `Quadrant ${app.getVersion()}`,
    detail: `A desktop laboratory for shadow paging. MIT licence.\nElectron ${process.versions.electron}, Chromium ${process.versions.chrome}.`,
  });
}
