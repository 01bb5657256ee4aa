/**
 * The window's entry: styles, the bridge of this edition, the lab's client, the application.
 */
import "@fontsource-variable/inter/wght.css";
import "@fontsource/jetbrains-mono/latin-400.css";
import "@fontsource/jetbrains-mono/latin-600.css";
import "dockview/dist/styles/dockview.css";
import "./tokens.css";
import "./base.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { getBridge } from "./bridge.ts";
import { lab } from "./lab.svelte.ts";
import { settings } from "./settings.svelte.ts";

settings.applyTheme();
lab.connect(getBridge());
mount(App, { target: document.getElementById("app")! });
