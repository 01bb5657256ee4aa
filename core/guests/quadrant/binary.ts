/**
 * Generated from core/guests/quadrant/quadrant.asm by `node build/guests.mjs` (nasm). Do not edit.
 * 2816 bytes; a test assembles the source again and compares.
 */
// biome-ignore format: generated
export const BINARY =
  "ArCtGwMAAQD7T1HkAAAQAAAAEAAACxAAABwQALUAEABQUma6+QMxwO5muvsDsAPuZrr8A+5aWMNSUGa6/QPsqCB0+2a6+ANY7lrD" +
  "UFaKBkaEwHQH6N/////r8l5Yw1BRVuMLigbozv///0ZJdfVeWVjDUFFSicK5CAAAAMHCBInQg+APioAABhAA6Kn///9JdepaWVjD" +
  "YDHJuwoAAAAx0vfzUkGFwHX2WAQw6Ij///9JdfVhw7wAHBAA/Ohg////DwEVkAkQAOrOABAACAC4EAAAAI7YjsCO0OjoAwAA6CcE" +
  "AADoRwQAALgAEAAADyLYDyDADQAAAYAPIsBWvhAGEADoRf///15WvlEGEADoOf///17o5wEAALhngGcFoyBJIwEPAT0AgCQI6MsB" +
  "AADHBaAJEAAAgGcFVr6HBhAA6Aj///9e6LYBAAC4ZxBnBaMgQSMBDwE9AIAECOiaAQAAxwWcCRAAABBnBVa+vQYQAOjX/v//XuiF" +
  "AQAAuGdwZwWjIEkjAQ8BPQCAJAjoaQEAAMcFoAkQAABwZwXHBRCABAhsZWZ0Vr7zBhAA6Jz+//9e6EoBAAChEIAkCLpSSUdI6GQC" +
  "AAC4B5BnBaMkSSMBDwE9AJAkCOgfAQAAVr5MBxAA6Gb+//9evgCQJAi6AJBnBeitAQAAuicAAADoTQIAAMYF/58kCCG6ZwAAAOg8" +
  "AgAAVr6YBxAA6DD+//9e6BYBAAC4J4AjAaOAFAAADwE9AIAESOjCAAAAxwWkCRAAAEBoBVa+1QcQAOj//f//XujlAAAAuQgAAAC/" +
  "kEEjAbhnAGkFiQeDxwQFABAAAEl181a+GggQAOjS/f//XrkIAAAAvgBABgi6AABpBegUAQAAgcYAEAAAgcIAEAAASXXs6F0AAAC4" +
  "Z4BnBaMgSSMBDwE9AIAkCOhBAAAAxwWgCRAAAIBnBVa+PAgQAOh+/f//XugsAAAAVr5PCBAA6G39//9eoagJEADorf3//1a+VQgQ" +
  "AOhX/f//Xvr06/ygAACtC8NWvl0IEADoQf3//16+AIAECIsVnAkQAOioAAAAVr5vCBAA6CX9//9evgCAJAiLFaAJEADpjAAAAFa+" +
  "gQgQAOgJ/f//Xr4AgAQIixWcCRAA6HAAAABWvpAIEADo7fz//16+AIAESIsVpAkQAOhUAAAAVr6fCBAA6NH8//9evgCABIi6ACBo" +
  "Beg5AAAAVr6uCBAA6Lb8//9evgCABMi6ADBoBeshUFa+vQgQAOid/P//Xonw6Lz8//9WvsAIEADoivz//15YYFa+wggQAOh8/P//" +
  "XrkQAAAA6IT8//9W6KsAAACJ91uH87kEAAAA86d0LP8FqAkQAFa+yQgQAOhM/P//XoneuRAAAADoUvz//1a+3QgQAOg0/P//XmHD" +
  "Vr7fCBAA6Cb8//9eYcM50HUNVr7lCBAA6BT8//9ew/8FqAkQAFa+EwkQAOgB/P//XsOhJEkjASX/DwAAVr5ACRAA6Or7//9e6Av8" +
  "//850HUNVr5QCRAA6NX7//9ew/8FqAkQAFa+VgkQAOjC+///XsO+rAkQADkWdAWDxhTr94PGBMNQDyDQPQAArQt1DcdEJAj+AhAA" +
  "WIPEBM9Wvl8JEADoi/v//17pL/7//78ACxAAMcm4tQQQAIP5DnUFuJ0EEACJwoHiAAD//4HKAI4AACX//wAADQAACACJB4lXBIPH" +
  "CEGD+SByyw8BHZYJEADDu6wJEACLO7oAAQAAjXMEuQQAAADzpUp184PDFIH7AAsQAHLhw78AEAAAuQAMAAAxwPOrvwBAIwG5ABQA" +
  "APOruGMAAAC/ACAAAIkHg8cEBQAQAAA9AAAgAHLvuGNAIwG/0DgAAIkHg8cEBQAQAAA9AJAjAXLvxwUAEAAAJyAAAMcFEBAAACcw" +
  "AADHBYAQAAAnQCMBxwWAFAAAJ1AjAccFgBgAACdgIwHHBYAcAAAncCMBxwUgQSMBZwBnBccFIEkjAWdwZwXHBSBRIwFnEGgFxwUg" +
  "YSMBZyBoBccFIHEjAWcwaAXHBSCBIwFnQGgFwwAAAAAAAAAAMDEyMzQ1Njc4OWFiY2RlZnF1YWRyYW50OiBvbmUgcGFnZSB0YWJs" +
  "ZSwgdHdvIHNoYWRvdyBwYWdlczsgb25lIGRpcmVjdG9yeSwgZm91cgoAYm90aCBoYWx2ZXMgb2YgdGhlIHBhZ2UgdGFibGUgYXQg" +
  "Z2ZuIDEyMzQgYXJlIGluIHVzZQoAUFRFIDU4NCBub3cgbmFtZXMgZnJhbWUgNTY3ODsgUFRFIDcyIHdhcyBub3Qgd3JpdHRlbgoA" +
  "UFRFIDcyIG5vdyBuYW1lcyBmcmFtZSA1NjcxOyBQVEUgNTg0IHdhcyBub3Qgd3JpdHRlbgoAUFRFIDU4NCBuYW1lcyBmcmFtZSA1" +
  "Njc3IGFnYWluOyBhIHN0b3JlIHRvIHRoZSBsZWZ0IHBhZ2UgbXVzdCBub3Qgc2hvdyBpbiB0aGUgcmlnaHQgb25lCgBQVEUgNTg1" +
  "IHdyaXR0ZW4gd2l0aG91dCBBOiB0aGUgZmlyc3QgdG91Y2ggc2V0cyBpdCwgdGhlIGZpcnN0IHN0b3JlIHNldHMgRAoAZm91ciBx" +
  "dWFkcmFudHMgb2YgdGhlIHBhZ2UgZGlyZWN0b3J5IGF0IGdmbiAwMDAxIGFyZSBpbiB1c2UKAFBERSAyODggbm93IG5hbWVzIHRh" +
  "YmxlIDEyMzg7IFBERXMgMzIsIDU0NCBhbmQgODAwIHdlcmUgbm90IHdyaXR0ZW4KAFBURXMgMTAwIHRvIDEwNyB3cml0dGVuIGlu" +
  "IGEgcm93CgBQVEUgNTg0IG9uY2UgbW9yZQoAZW5kOiAAIHdyb25nCgAgIGxlZnQgIDA4MDQ4MDAwIAAgIHJpZ2h0IDA4MjQ4MDAw" +
  "IAAgIHEwIDA4MDQ4MDAwIAAgIHExIDQ4MDQ4MDAwIAAgIHEyIDg4MDQ4MDAwIAAgIHEzIGM4MDQ4MDAwIAAgIAAgAHNob3dzIAAg" +
  "IFdST05HLCBzaG91bGQgYmUgAAoAICBvawoAICB0aGUgc3RvcmUgZGlkIG5vdCByZWFjaCB0aGUgcmlnaHQgcGFnZSAgb2sKACAg" +
  "dGhlIHN0b3JlIHdlbnQgaW50byB0aGUgcmlnaHQgcGFnZSAgV1JPTkcKACAgUFRFIDU4NSBiaXRzIAAgIG9rCgAgIFdST05HCgB1" +
  "bmV4cGVjdGVkIGV4Y2VwdGlvbgoAkJCQAAAAAAAAAAD//wAAAJvPAP//AAAAk88AFwB4CRAA/wAACxAAAABnBQBwZwUAEGgFAAAA" +
  "AAAAZwVMRUZUICBmcmFtZSA1NjcwABBnBUxFRlQgIGZyYW1lIDU2NzEAcGcFUklHSFQgZnJhbWUgNTY3NwCAZwVSSUdIVCBmcmFt" +
  "ZSA1Njc4AJBnBUxBWlkgIGZyYW1lIDU2NzkAEGgFUTEgICAgZnJhbWUgNTY4MQAgaAVRMiAgICBmcmFtZSA1NjgyADBoBVEzICAg" +
  "IGZyYW1lIDU2ODMAQGgFUTFORVcgZnJhbWUgNTY4NAAAaQVGTE9PRCBmcmFtZSA1NjkwABBpBUZMT09EIGZyYW1lIDU2OTEAIGkF" +
  "RkxPT0QgZnJhbWUgNTY5MgAwaQVGTE9PRCBmcmFtZSA1NjkzAEBpBUZMT09EIGZyYW1lIDU2OTQAUGkFRkxPT0QgZnJhbWUgNTY5" +
  "NQBgaQVGTE9PRCBmcmFtZSA1Njk2AHBpBUZMT09EIGZyYW1lIDU2OTc=";

/** Labels of the source and their linked (virtual) addresses, ascending. */
// biome-ignore format: generated
export const SYMBOLS: readonly (readonly [name: string, address: number])[] = [
  ["header", 0x100000],
  ["image_start", 0x100000],
  ["serial_init", 0x100020],
  ["putc", 0x100038],
  ["puts", 0x10004b],
  ["put_bytes", 0x10005e],
  ["puthex", 0x100072],
  ["putdec", 0x100096],
  ["start", 0x1000b5],
  ["touch_both", 0x100107],
  ["first_write", 0x10011d],
  ["first_check", 0x100144],
  ["second_write", 0x10014e],
  ["third_write", 0x10017f],
  ["store_left", 0x10019a],
  ["clear_accessed", 0x1001c9],
  ["touch_directory", 0x100210],
  ["directory_write", 0x100226],
  ["flood", 0x100261],
  ["last_write", 0x1002a7],
  ["finish", 0x1002d3],
  ["stop", 0x1002f5],
  ["breathe", 0x1002f9],
  ["breathe_end", 0x1002fe],
  ["check_both", 0x1002ff],
  ["check_four", 0x100337],
  ["check_page", 0x1003a2],
  ["check_page_in_line", 0x1003c3],
  ["check_store", 0x100428],
  ["check_bits", 0x10044c],
  ["name_of", 0x10048b],
  ["page_fault", 0x10049d],
  ["unexpected", 0x1004b5],
  ["build_idt", 0x1004c6],
  ["name_frames", 0x10050a],
  ["build_tables", 0x10052f],
  ["hex_digits", 0x100600],
  ["gdt", 0x100978],
  ["gdt_pointer", 0x100990],
  ["idt_pointer", 0x100996],
  ["want_left", 0x10099c],
  ["want_right", 0x1009a0],
  ["want_q1", 0x1009a4],
  ["wrong", 0x1009a8],
  ["names", 0x1009ac],
  ["idt", 0x100b00],
  ["image_end", 0x100b00],
  ["names_end", 0x100b00],
  ["bss_end", 0x101c00],
  ["stack_top", 0x101c00],
];
